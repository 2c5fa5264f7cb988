import { expect, it } from 'vitest';
import { renderExplanation } from '../../../../src/cli/commands/explain.js';
import { renderRoutes } from '../../../../src/cli/commands/routes.js';
import type { Explanation } from '../../../../src/control/explain.js';

const plain = { paint: (_: string, text: string) => text };
const fine = { status: true, reason: 'Accepted', message: '' };

it('shows each route, and why one is not in force', () => {
  const missing = { status: false, reason: 'BackendNotFound', message: 'no instance of next is attached' };
  const routes = [
    { kind: 'HTTPRoute', namespace: '', name: 'a', source: 's', parent: 'orders', accepted: fine, resolvedRefs: fine, rules: 1 },
    {
      kind: 'HTTPRoute',
      namespace: 'x',
      name: 'b',
      source: 's',
      parent: 'orders',
      accepted: fine,
      resolvedRefs: missing,
      rules: 1,
    },
  ];
  expect(renderRoutes({ routes, problems: ['r.yaml document 1: spec: is missing; add it'] }, plain).split('\n')).toEqual([
    'KIND       NAMESPACE  NAME  PARENT  ACCEPTED  REFS  REASON',
    'HTTPRoute  (all)      a     orders  yes       yes   Accepted',
    'HTTPRoute  x          b     orders  yes       no    BackendNotFound: no instance of next is attached',
    'r.yaml document 1: spec: is missing; add it',
  ]);
  expect(renderRoutes({ routes: [], problems: [] }, plain)).toBe('No route is known.');
});

it('shows a call’s way', () => {
  const found: Explanation = {
    caller: 'default/web',
    app: 'default/orders',
    rule: 'HTTPRoute canary',
    match: {
      path: { kind: 'prefix', value: '/v2' },
      headers: [{ kind: 'exact', name: 'x-canary', value: 'always' }],
      query: [],
      method: '',
    },
    backends: [{ app: 'default/orders@v2', percent: 100, instances: [{ instanceId: 'orders-2', state: 'ready' }] }],
    mirrors: ['default/shadow'],
    path: '/items',
    requestTimeoutMs: 3000,
    attemptTimeoutMs: 500,
    retry: {
      retries: 3,
      statuses: [
        [429, 429],
        [500, 599],
      ],
      grpcCodes: [[14, 14]],
      waitMs: 500,
      maxWaitMs: 500,
    },
    circuitBreaker: { failures: 6, openMs: 60_000 },
  };
  expect(renderExplanation(found).split('\n')).toEqual([
    'caller     default/web',
    'app        default/orders',
    'rule       HTTPRoute canary (prefix /v2, x-canary: always)',
    'to         100 % default/orders@v2: orders-2 ready',
    'copied to  default/shadow',
    'path       /items',
    'timeout    3000 ms in all, 500 ms a try',
    'retries    3, about 500 ms apart, of broken connections and 429, 500-599, gRPC 14',
    'breaker    opens after 6 failures in a row, for 60000 ms',
  ]);
});
