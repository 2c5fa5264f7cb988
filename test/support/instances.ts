import { Instance as AttachedInstance } from '../../src/gen/weft/registry/v1/registry.js';
import type { Instance } from '../../src/model/instance.js';

/** @returns what a sidecar sends on Attach, sound in every part */
export function attachedInstance(change: Partial<AttachedInstance> = {}): AttachedInstance {
  return AttachedInstance.fromPartial({
    appId: 'orders',
    namespace: 'default',
    instanceId: 'orders-1',
    address: '127.0.0.1',
    inboundPort: 7001,
    appPort: 6001,
    appProtocol: 'http',
    appReady: true,
    appHealthy: true,
    pid: 100,
    startedAtMs: 1_000,
    ...change,
  } as AttachedInstance);
}

export const instanceOf = (change: Partial<Instance> = {}): Instance => ({
  ...attachedInstance(change),
  lease: change.lease ?? 'live',
});
