import { expect, it } from 'vitest';
import { type DecisionName, decisionName, readDecisionName } from '../../../../src/model/access/decision-name.js';

const caller = { trustDomain: 'mesh.example.org', namespace: 'shop', appId: 'check_out-1' };

it.each<DecisionName>([
  { scope: 'app', caller },
  { scope: 'global', caller },
  { scope: 'global', caller: undefined },
])('%j is read as it was written, and ends no part of a counter’s name', (decision) => {
  const name = decisionName(decision, 'operation');
  expect(name).not.toContain('.');
  expect(readDecisionName(name)).toEqual(decision);
});

it.each(['actor', 'self', 'none', ''])('%j is none of a policy', (name) => expect(readDecisionName(name)).toBeUndefined());
