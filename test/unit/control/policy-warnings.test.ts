import { expect, it } from 'vitest';
import { createPolicyWarnings } from '../../../src/control/policy-warnings.js';
import { type Logger, silentLogger } from '../../../src/telemetry/logger.js';
import { instanceOf, modelOf } from '../../support/model.js';
import { resourcesOf } from '../../support/resources.js';

const RESILIENCY = (trip: string) => `
apiVersion: dapr.io/v1alpha1
kind: Resiliency
metadata: { name: all }
spec:
  policies: { retries: { DaprBuiltInServiceRetries: { maxRetries: 1 } }, circuitBreakers: { c: { trip: "${trip}" } } }
  targets: { apps: { orders: { circuitBreaker: c } } }
`;

it('logs what of a Resiliency is not in force, once for each version of the document', async () => {
  const lines: string[] = [];
  const logger: Logger = { ...silentLogger, warn: (_text, fields) => void lines.push(String(fields?.problem)) };
  const warn = createPolicyWarnings(logger);
  const instances = [instanceOf({ appId: 'web' }), instanceOf({ appId: 'orders' })];
  const first = await resourcesOf(RESILIENCY('requests > 5'));
  warn(modelOf(instances, [], first));
  warn(modelOf([...instances], [], first));
  expect(lines).toEqual([
    expect.stringContaining('policies.retries.DaprBuiltInServiceRetries: makes 3 retries'),
    expect.stringContaining('targets.apps.orders.circuitBreaker: c is not in force'),
  ]);
  warn(modelOf(instances, [], await resourcesOf(RESILIENCY('consecutiveFailures > 5'))));
  expect(lines).toHaveLength(3);
});
