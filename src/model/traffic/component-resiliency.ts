import type { Component, ComponentResiliency, ResiliencyPolicies } from '../../gen/weft/config/v1/config.js';
import { resiliencySpec } from '../resources/kinds/resiliency.js';
import type { Policy } from './document.js';
import {
  CONSTANT_MS,
  defaultPolicies,
  EXPONENTIAL,
  mergedSpec,
  millis,
  OPEN_MS,
  type Policies,
  type PolicyNames,
  ranges,
} from './resiliency.js';
import { DEFAULT_TRIP } from './trip.js';

/** Dapr's Resiliency for components (reference §4.4); the filter service carries it out. */

/** What the names of default policies call a component, by the first part of its type. */
const TYPE_NAMES: Readonly<Record<string, string>> = {
  state: 'Statestore',
  pubsub: 'Pubsub',
  bindings: 'Binding',
  configuration: 'Configuration',
  lock: 'Lock',
  crypto: 'Crypto',
  conversation: 'Conversation',
  secretstores: 'Secretstore',
};
const BRING_SOMETHING: ReadonlySet<string> = new Set(['Pubsub', 'Binding']);

type Direction = 'Outbound' | 'Inbound';

/** @returns the components that a policy is in force for, with it. @param documents of two with one entry the later one counts, as in Dapr */
export function componentResiliency(
  documents: readonly Policy[],
  components: readonly Component[],
): readonly (readonly [Component, ComponentResiliency])[] {
  const { policies, targets } = mergedSpec(documents);
  const sourceOf = (names: PolicyNames) => definedIn(documents, names);
  const resolve = (component: Component, type: string, direction: Direction): ResiliencyPolicies | undefined => {
    const target = targets.components?.[component.name];
    // A target that is named takes only what it names, in both directions.
    const names = target
      ? target[direction === 'Outbound' ? 'outbound' : 'inbound']
      : defaultPolicies(policies, [`${type}Component${direction}`, `Component${direction}`, 'Component', '']);
    return names && namedPolicies(policies, names, sourceOf);
  };
  return components.flatMap((component) => {
    const type = TYPE_NAMES[component.type.split('.', 1)[0] ?? ''];
    if (type === undefined) return [];
    const outbound = resolve(component, type, 'Outbound');
    const inbound = BRING_SOMETHING.has(type) ? resolve(component, type, 'Inbound') : undefined;
    return outbound || inbound ? [[component, { outbound, inbound }] as const] : [];
  });
}

/** @returns the policies by their names; undefined when none of the names is one of a policy */
export function namedPolicies(
  { timeouts, retries, circuitBreakers }: Policies,
  names: PolicyNames,
  sourceOf: (names: PolicyNames) => string,
) {
  const timeoutMs = Math.max(0, millis(timeouts?.[names.timeout ?? ''], 0));
  const retry = retries?.[names.retry ?? ''];
  const breaker = circuitBreakers?.[names.circuitBreaker ?? ''];
  if (timeoutMs === 0 && !retry && !breaker) return undefined;
  return {
    timeoutMs,
    retry: retry && retryPolicy(names.retry ?? '', retry),
    circuitBreaker: breaker && {
      name: names.circuitBreaker ?? '',
      maxRequests: breaker.maxRequests ?? 1,
      intervalMs: Math.max(0, millis(breaker.interval, 0)),
      timeoutMs: Math.max(1, millis(breaker.timeout, OPEN_MS)),
      trip: breaker.trip || DEFAULT_TRIP,
    },
    source: sourceOf(names),
  };
}

/** @returns the names of the documents that define one of `names`: an unrelated one must not make the resource another */
export function definedIn(documents: readonly Policy[], { timeout, retry, circuitBreaker }: PolicyNames): string {
  const defines = ({ spec }: Policy) => {
    const { policies } = resiliencySpec.parse(spec);
    return (
      policies?.timeouts?.[timeout ?? ''] ?? policies?.retries?.[retry ?? ''] ?? policies?.circuitBreakers?.[circuitBreaker ?? '']
    );
  };
  return documents
    .filter((document) => defines(document) !== undefined)
    .map(({ name }) => name)
    .join(', ');
}

function retryPolicy(name: string, retry: NonNullable<Policies['retries']>[string]) {
  const exponential = retry.policy === 'exponential';
  return {
    name,
    exponential,
    intervalMs: exponential ? EXPONENTIAL.firstMs : Math.max(0, millis(retry.duration, CONSTANT_MS)),
    maxIntervalMs: exponential ? Math.max(EXPONENTIAL.firstMs, millis(retry.maxInterval, EXPONENTIAL.maxMs)) : 0,
    maxRetries: retry.maxRetries ?? -1,
    httpStatusCodes: codes(retry.matching?.httpStatusCodes),
    grpcStatusCodes: codes(retry.matching?.gRPCStatusCodes),
  };
}

const codes = (text: string | undefined) => (ranges(text) ?? []).map(([from, to]) => ({ from, to }));
