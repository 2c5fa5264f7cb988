import { expect, it } from 'vitest';
import { httpVerb, methodPath, nameParts } from '../../../src/cli/api-path.js';

/** What a client of ours would make of the path. */
const sent = (path: string) => {
  const { pathname, search, hash } = new URL(`http://x/v1.0/invoke/orders/method/${path}`);
  expect(hash).toBe('');
  return pathname.slice('/v1.0/invoke/orders/method/'.length) + search;
};

it.each([
  ['checkout', 'checkout'],
  ['/checkout', 'checkout'],
  ['a/b/c', 'a/b/c'],
  ['a%2fb', 'a%2fb'],
  ['a%2Fb?x=%2F', 'a%2Fb?x=%2F'],
  ['a//b', 'a//b'],
  ['//a', '/a'],
  ['a?x=1&y=../..', 'a?x=1&y=../..'],
  ['?x=1', '?x=1'],
  ['/', ''],
  ['...', '...'],
  ['a/.b/b..', 'a/.b/b..'],
  ['a\\b', 'a%5Cb'],
  ['..\\a', '..%5Ca'],
  ['a b', 'a%20b'],
  ['é', '%C3%A9'],
  ['a%0d%0ab', 'a%0d%0ab'],
  ['http://evil.example/a', 'http://evil.example/a'],
  ['@evil.example:1/a', '@evil.example:1/a'],
])('the method %j is sent as %j', (method, path) => expect(sent(methodPath(method))).toBe(path));

it.each([
  ['', '--method is empty'],
  ['..', 'has . or .. as a part'],
  ['../../../v1.0/shutdown', 'has . or .. as a part'],
  ['a/./b', 'has . or .. as a part'],
  ['a/%2e%2E/b', 'has . or .. as a part'],
  ['a/.%2e', 'has . or .. as a part'],
  ['/../a?x=1', 'has . or .. as a part'],
  ['a#b', 'what stands after # is never sent'],
  ['a?x=#', 'what stands after # is never sent'],
  ['a\r\nx-evil: 1', 'has a line break'],
  ['a\tb', 'has a line break or another control character'],
  ['\u0000', 'has a line break or another control character'],
])('the method %j is refused', (method, why) => expect(() => methodPath(method)).toThrow(why));

it.each([
  [['orders'], 'orders'],
  [['a', 'b c', ''], 'a/b%20c/'],
  [['a/b'], 'a%2Fb'],
  [['%2e%2e'], '%252e%252e'],
  [['a\r\nb#?'], 'a%0D%0Ab%23%3F'],
])('the name %j stands in a path as %j', (parts, path) => expect(nameParts('--topic', ...parts)).toBe(path));

it.each([[['']], [['..']], [['a', '..', '..', 'shutdown']], [['.']]])('the name %j is refused', (parts) =>
  expect(() => nameParts('--topic', ...parts)).toThrow(/^--topic /),
);

it.each([
  ['get', 'GET'],
  ['PATCH', 'PATCH'],
  ['purge', 'PURGE'],
])('the verb %j is sent as %s', (verb, upper) => expect(httpVerb(verb)).toBe(upper));

it.each(['', 'GET / HTTP/1.1\r\nx: y', 'TRACE', 'connect', 'a b'])('the verb %j is refused', (verb) =>
  expect(() => httpVerb(verb)).toThrow('--verb'),
);
