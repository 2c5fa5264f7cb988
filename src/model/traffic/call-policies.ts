import type { CallPolicies } from '../../gen/weft/config/v1/config.js';
import { definedIn } from './component-resiliency.js';
import type { Policy } from './document.js';
import { defaultPolicies, mergedSpec, type PolicyNames } from './resiliency.js';

/**
 * Which policies Envoy carries out for calls of apps and actors: what its counters of a cluster are to be called by. As the documents name
 * their targets, so its size does not depend on how many apps there are.
 *
 * @param documents Resiliency policies; of two with one entry the later one counts, as in Dapr
 */
export function callPolicies(documents: readonly Policy[]): readonly CallPolicies[] {
  const { policies, targets } = mergedSpec(documents);
  const entry = (actor: boolean, target: string, names: PolicyNames | undefined): CallPolicies[] => {
    const has = (group: Readonly<Record<string, unknown>> | undefined, name = '') => group?.[name] !== undefined;
    const retry = has(policies.retries, names?.retry);
    // Of an actor these are its owner's to carry out.
    const timeout = !actor && has(policies.timeouts, names?.timeout);
    const circuitBreaker = !actor && has(policies.circuitBreakers, names?.circuitBreaker);
    const source = names ? definedIn(documents, names) : '';
    // A target that is named takes no defaults, so it stands here even without any policy.
    return target === '' && source === '' ? [] : [{ target, actor, retry, timeout, circuitBreaker, source }];
  };
  const named = (actor: boolean, entries: Readonly<Record<string, PolicyNames>> | undefined) =>
    Object.keys(entries ?? {})
      .sort()
      .flatMap((target) => entry(actor, target, entries?.[target]));
  return [
    ...named(false, targets.apps),
    ...entry(false, '', defaultPolicies(policies, ['App', ''])),
    ...named(true, targets.actors),
    ...entry(true, '', defaultPolicies(policies, ['Actor', ''])),
  ];
}
