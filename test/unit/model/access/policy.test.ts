import { describe, expect, it } from 'vitest';
import { type AccessControlSpec, accessPolicy, decide } from '../../../../src/model/access/policy.js';
import type { AppKind } from '../../../../src/model/access/types.js';

const ID = 'spiffe://public/ns/default/checkout';

const rule = (name: string, action: 'allow' | 'deny', httpVerb: readonly string[] = ['*']) => ({ name, action, httpVerb });
const specOf = (operations: readonly ReturnType<typeof rule>[], defaultAction: 'allow' | 'deny' = 'deny'): AccessControlSpec => ({
  defaultAction,
  policies: [{ appId: 'checkout', namespace: 'default', trustDomain: 'public', defaultAction, operations }],
});

function ask(spec: AccessControlSpec, path: string, { verb = 'GET', caller = ID, kind = 'http' as AppKind } = {}) {
  const policy = accessPolicy(spec, kind);
  return policy ? decide(policy, { caller, path, verb }) : 'allow';
}

describe('the default action', () => {
  it('is allow without a block, and with an empty one', () => {
    expect(accessPolicy(undefined, 'http')).toBeUndefined();
    expect(accessPolicy({}, 'http')).toBeUndefined();
    expect(accessPolicy({ trustDomain: 'public' }, 'http')).toBeUndefined();
  });
  it('is deny when callers are named but no default', () => {
    const spec = { policies: [{ appId: 'checkout', namespace: 'default', trustDomain: 'public', operations: [] }] };
    expect(ask(spec, '/a')).toBe('deny');
    expect(ask(spec, '/a', { caller: 'spiffe://public/ns/default/other' })).toBe('deny');
  });
  it('of a caller comes before the general one', () => {
    const spec: AccessControlSpec = {
      defaultAction: 'deny',
      policies: [{ appId: 'checkout', namespace: 'default', trustDomain: 'public', defaultAction: 'allow' }],
    };
    expect(ask(spec, '/a')).toBe('allow');
  });
  it.each([
    ['another trust domain', 'spiffe://public2/ns/default/checkout'],
    ['another namespace', 'spiffe://public/ns/prod/checkout'],
    ['another app', 'spiffe://public/ns/default/checkout2'],
    ['no identity', undefined as unknown as string],
  ])('is for %s', (_, caller) => {
    const spec = specOf([rule('/**', 'allow')]);
    expect(decide(accessPolicy(spec, 'http') as never, { caller, path: '/a', verb: 'GET' })).toBe('deny');
  });
});

describe('a path', () => {
  it.each([
    // A name without a wildcard is itself and everything below it.
    ['/a', '/a', true],
    ['/a', '/a/', true],
    ['/a', '/a/b/c', true],
    ['/a', '/ab', false],
    ['a', '/a', true],
    ['/a/', '/a', true],
    ['/', '/', true],
    ['/', '/a', false],
    // One level.
    ['/a/*', '/a', true],
    ['/a/*', '/a/b', true],
    ['/a/*', '/a/b/c', false],
    ['/*', '/x', true],
    ['/*', '/x/y', false],
    ['/a/*/c', '/a/b/c', true],
    ['/a/*/c', '/a/c', false],
    // Any number of levels.
    ['/a/**', '/a', true],
    ['/a/**', '/a/b/c', true],
    ['/a/**', '/ab', false],
    ['/**', '/', true],
    ['/**', '/a/b', true],
    ['/**/c', '/a/b/c', true],
    // Within a segment.
    ['/a/b*', '/a/bcd', true],
    ['/a/b*', '/a/bcd/e', true],
    ['/a/b*', '/a/xb', false],
    ['/a/*.json', '/a/x.json', true],
    ['/a/*.json', '/a/xjson', false],
    // Whatever its spelling.
    ['/Admin', '/aDMIN', true],
    ['/a b', '/a%20b', true],
    ['/a@b', '/a%40b', true],
    ['/a@b', '/a@b', true],
    ['/a%40b', '/a@b', true],
    ['/é', '/%C3%A9', true],
    ['/é', '/%c3%89', true],
    ['/x/../a', '/a', true],
    ['/a.b', '/axb', false],
    ['/a(b)', '/a(b)', true],
    ['/a[b]', '/a[b]', true],
  ])('%s covers %s: %s', (name, path, covered) => {
    expect(ask(specOf([rule(name, 'allow')]), path)).toBe(covered ? 'allow' : 'deny');
  });

  it('of a gRPC app is compared with case, and verbs count for nothing', () => {
    const spec = specOf([rule('/pkg.Service/Get', 'allow', ['PUT'])]);
    expect(ask(spec, '/pkg.Service/Get', { kind: 'grpc', verb: 'POST' })).toBe('allow');
    expect(ask(spec, '/pkg.service/get', { kind: 'grpc' })).toBe('deny');
  });

  it.each([
    '/a%2fb',
    '/a%5cb',
    '/a;x',
    '/a%3bx',
    '/a%252fb',
    '/a%00',
    '/a%0a',
    '/a%7f',
    '/a%3fx',
    '/a%23x',
    '/a%61',
    '/a%2e',
    '/a%zz',
    '/a%',
    '/a%c0%af',
    '/a%e0%80%af',
    '/a%ed%a0%80',
    '/a%ff',
    '/a\\b',
    'a',
  ])('%s can be read in two ways and is denied, also where everything is allowed', (path) => {
    expect(ask(specOf([rule('/never', 'deny')], 'allow'), path)).toBe('deny');
    expect(ask(specOf([rule('/**', 'allow')]), path)).toBe('deny');
  });

  it.each([
    '/a.',
    '/a%20%21%22%24%26%27%28%29%2A%2b%2C%3a%3C%3d%3E%40%5b%5D%5e%60%7B%7c%7D',
    '/%E2%82%AC%f0%9f%98%80',
    '/~a_b-c',
  ])('%s has one reading', (path) => {
    expect(ask(specOf([rule('/never', 'deny')], 'allow'), path)).toBe('allow');
  });
});

describe('of several paths the most specific decides, in whatever order they stand', () => {
  const rules = [
    rule('/**', 'deny'),
    rule('/a', 'allow'),
    rule('/a/b', 'deny'),
    rule('/a/*', 'allow'),
    rule('/a/b/c*', 'allow'),
    rule('/a/b/cd', 'deny'),
    rule('/x/**', 'allow'),
    rule('/x/y', 'deny'),
  ];
  it.each([
    ['/', 'deny'],
    ['/a', 'allow'],
    ['/a/b', 'deny'],
    ['/a/b/x', 'deny'],
    ['/a/z', 'allow'],
    ['/a/z/z', 'allow'],
    ['/a/b/ce', 'allow'],
    ['/a/b/cd', 'deny'],
    ['/a/b/cd/e', 'deny'],
    ['/x', 'allow'],
    ['/x/y/z', 'deny'],
    ['/x/z/z', 'allow'],
  ])('%s: %s', (path, action) => {
    for (const order of [rules, [...rules].reverse()]) expect(ask(specOf(order), path)).toBe(action);
  });
});

describe('a verb', () => {
  const spec = specOf([rule('/a', 'allow', ['GET', 'post']), rule('/a', 'deny', ['DELETE']), rule('/**', 'allow')]);
  it.each([
    ['GET', 'allow'],
    ['get', 'allow'],
    ['POST', 'allow'],
    ['DELETE', 'deny'],
    // The path decides first: what its rules do not name is the default, not a wider rule's.
    ['PUT', 'deny'],
  ])('%s: %s', (verb, action) => expect(ask(spec, '/a', { verb })).toBe(action));

  it('that is not named by a rule: an allowance opens nothing, a denial closes everything', () => {
    expect(ask(specOf([rule('/a', 'allow', [])]), '/a')).toBe('deny');
    expect(ask(specOf([rule('/a', 'deny', [])], 'allow'), '/a')).toBe('deny');
  });
});
