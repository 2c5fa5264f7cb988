import type { MeshModel } from '../model/mesh-model.js';
import type { Policy } from '../model/traffic/document.js';
import { resiliencyNotes } from '../model/traffic/resiliency-notes.js';
import type { Logger } from '../telemetry/logger.js';

/** @returns what logs, once for each version of a document, which parts of a Resiliency are not in force; `weft routes` shows them as well */
export function createPolicyWarnings(logger: Logger): (model: MeshModel) => void {
  const seen = new WeakSet<object>();
  const isNew = (it: object) => !seen.has(it) && seen.add(it);
  const warn = (policy: Policy) => {
    for (const problem of resiliencyNotes(policy))
      logger.warn('a part of a policy is not in force', { policy: `Resiliency/${policy.name}`, source: policy.source, problem });
  };
  return (model) => {
    for (const instance of model.instances) {
      const { policies } = model.resourcesFor(instance);
      if (isNew(policies)) for (const policy of policies) if (policy.kind === 'Resiliency' && isNew(policy)) warn(policy);
    }
  };
}
