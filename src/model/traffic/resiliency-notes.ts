import { resiliencySpec } from '../resources/kinds/resiliency.js';
import { builtInNotes } from './built-in-retries.js';
import type { Policy } from './document.js';
import { breakerRule, defaultPolicies, millis, type Policies } from './resiliency.js';
import { failureShareOf } from './trip.js';

const FIELDS = { timeout: 'timeouts', retry: 'retries', circuitBreaker: 'circuitBreakers' } as const;
type Field = keyof typeof FIELDS;
type Names = Readonly<Partial<Record<Field, string | undefined>>>;

/** @returns what a Resiliency says that is not in force, one line each */
export function resiliencyNotes({ spec: written }: Policy): readonly string[] {
  const { policies, targets } = resiliencySpec.parse(written);
  const isDefined = (field: Field, name: string) => policies?.[FIELDS[field]]?.[name] !== undefined;
  const undefinedNames = (place: string, names: Names) =>
    (Object.keys(FIELDS) as Field[]).flatMap((field) => {
      const name = names[field];
      return name === undefined || isDefined(field, name) ? [] : [`${place}.${field}: ${name} is not defined in this document`];
    });
  const actors = Object.entries(targets?.actors ?? {});
  return [
    ...builtInNotes(policies),
    ...Object.entries(targets?.apps ?? {}).flatMap(([app, names]) => undefinedNames(`targets.apps.${app}`, names)),
    ...actors.flatMap(([type, names]) => undefinedNames(`targets.actors.${type}`, names)),
    ...Object.entries(targets?.components ?? {}).flatMap(([component, { outbound, inbound }]) => [
      ...undefinedNames(`targets.components.${component}.outbound`, outbound ?? {}),
      ...undefinedNames(`targets.components.${component}.inbound`, inbound ?? {}),
    ]),
    ...Object.entries(targets?.apps ?? {}).flatMap(([app, { circuitBreaker = '' }]) =>
      betweenApps(policies?.circuitBreakers?.[circuitBreaker]).map(
        (why) => `targets.apps.${app}.circuitBreaker: ${circuitBreaker} ${why}`,
      ),
    ),
    ...(policies ? defaultBreakers(policies) : []).flatMap((name) =>
      betweenApps(policies?.circuitBreakers?.[name]).map((why) => `policies.circuitBreakers.${name}: between apps it ${why}`),
    ),
  ];
}

/** The breaker that apps get which no target names. */
const defaultBreakers = (policies: Policies) => {
  const name = defaultPolicies(policies, ['App', ''])?.circuitBreaker;
  return name === undefined ? [] : [name];
};

type Breaker = NonNullable<Policies['circuitBreakers']>[string];

/** @returns what of a breaker Envoy's outlier detection has no counterpart for */
function betweenApps(breaker: Breaker | undefined): readonly string[] {
  if (!breaker) return [];
  const rule = breakerRule(breaker);
  if (!rule)
    return [
      failureShareOf(breaker.trip ?? '')
        ? 'is not in force: a share of failures needs an interval above 0, after which Envoy counts anew'
        : 'is not in force: Envoy trips on consecutiveFailures > N (or >= N), and on totalFailures * 100 / requests >= P with an interval',
    ];
  const { failures } = rule;
  return [
    ...(breaker.maxRequests !== undefined && breaker.maxRequests !== 1
      ? ['has no half-open state, so maxRequests means nothing: after the timeout all calls go through']
      : []),
    ...(failures !== undefined && millis(breaker.interval, 0) > 0
      ? ['counts failures in a row until a call succeeds, so interval means nothing']
      : []),
  ];
}
