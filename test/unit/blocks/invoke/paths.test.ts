import { expect, test } from 'vitest';
import { checkName, cleanMethod, invokePath, targetOf } from '../../../../src/blocks/invoke/paths.js';

test.each([
  ['orders/1', 'orders/1'],
  ['/orders//1/', 'orders/1'],
  ['a/./b/../c', 'a/c'],
  ['../../secret', 'secret'],
  ['a/%2e%2e/b', 'b'],
  ['a/%2E/b', 'a/b'],
  ['a%2Fb', 'a%2Fb'],
  ['', ''],
  ['..', ''],
])('method %j is called as %j', (method, clean) => {
  expect(cleanMethod(method)).toBe(clean);
});

test.each(['a#b', 'a?b', 'a\0b', 'a\r\nb', 'a\x7fb'])('method %j is refused', (method) => {
  expect(() => cleanMethod(method)).toThrow('invalid method');
});

test.each(['', '.', '..', 'a/b', 'a\\b', 'a#b', 'a?b', 'a\0', 'a\n'])('name %j is refused', (name) => {
  expect(() => checkName(name, 'actorId')).toThrow('invalid actorId');
});

test.each(['a', 'a b', 'a||b', 'user@example.com', 'Tür', '...'])('name %j is taken', (name) => {
  expect(() => checkName(name, 'actorId')).not.toThrow();
});

test.each([
  ['orders', 'a b/ü', '', '/v1.0/invoke/orders/method/a%20b/%C3%BC'],
  ['orders.prod', 'x', 'q=1&r=ü', '/v1.0/invoke/orders.prod/method/x?q=1&r=%C3%BC'],
  ['orders', '100%/a%20b', '', '/v1.0/invoke/orders/method/100%25/a%20b'],
  ['orders', 'a\\..\\b', '', '/v1.0/invoke/orders/method/a%5C..%5Cb'],
  ['../state', 'x', '', '/v1.0/invoke/..%2Fstate/method/x'],
])('%s, method %j, query %j is asked for as %s', (id, method, query, path) => {
  expect(invokePath(id, method, query)).toBe(path);
});

test.each(['a b', 'a\r\nx: y', 'a#b'])('query %j is refused', (query) => {
  expect(() => invokePath('orders', 'x', query)).toThrow('query string');
});

test.each([
  ['/v1.0/invoke/orders/method/x?y=1', {}, 'orders'],
  ['/v1.0/invoke/orders/method', {}, 'orders'],
  ['/v1.0/invoke/http%3A%2F%2Fhost/method/x', {}, 'http://host'],
  ['/anything', { 'dapr-app-id': 'orders' }, 'orders'],
  ['/anything', { authorization: `Basic ${Buffer.from('dapr-app-id:orders').toString('base64')}` }, 'orders'],
  ['/anything', { authorization: `Basic ${Buffer.from('me:secret').toString('base64')}` }, undefined],
  ['/v1.0/invoke/orders/x', {}, undefined],
  ['/v1.0/unknown', {}, undefined],
])('%s with %j is meant for %s', (path, headers, target) => {
  expect(targetOf(path, headers)).toBe(target);
});
