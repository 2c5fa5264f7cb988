import { expect, it } from 'vitest';
import { callPolicies } from '../../../../src/model/traffic/call-policies.js';
import type { Policy } from '../../../../src/model/traffic/document.js';

const document = (name: string, spec: unknown): Policy =>
  ({ kind: 'Resiliency', namespace: '', name, createdAt: '', spec }) as Policy;

it('names the policies of each target and of all others, with the documents that they come from', () => {
  const policies = document('policies', {
    policies: { timeouts: { DefaultTimeoutPolicy: '1s', own: '2s' }, retries: { few: { maxRetries: 1 } } },
  });
  const targets = document('targets', {
    targets: { apps: { b: { retry: 'few' }, a: {} }, actors: { T: { timeout: 'own', retry: 'few' } } },
  });
  const none = { actor: false, retry: false, timeout: false, circuitBreaker: false, source: '' };
  expect(callPolicies([policies, targets])).toEqual([
    { ...none, target: 'a' },
    { ...none, target: 'b', retry: true, source: 'policies' },
    { ...none, target: '', timeout: true, source: 'policies' },
    // Its time is the owner's affair.
    { ...none, target: 'T', actor: true, retry: true, source: 'policies' },
    { ...none, target: '', actor: true, source: 'policies' },
  ]);
});
