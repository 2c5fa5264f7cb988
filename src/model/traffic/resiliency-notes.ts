import { resiliencySpec } from '../resources/kinds/resiliency.js';
import type { Policy } from './document.js';

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
    ...Object.entries(targets?.apps ?? {}).flatMap(([app, names]) => undefinedNames(`targets.apps.${app}`, names)),
    ...actors.flatMap(([type, names]) => undefinedNames(`targets.actors.${type}`, names)),
    ...Object.entries(targets?.components ?? {}).flatMap(([component, { outbound, inbound }]) => [
      ...undefinedNames(`targets.components.${component}.outbound`, outbound ?? {}),
      ...undefinedNames(`targets.components.${component}.inbound`, inbound ?? {}),
    ]),
    ...Object.entries(targets?.apps ?? {}).flatMap(([app, { circuitBreaker }]) =>
      withoutHalfOpen(policies?.circuitBreakers?.[circuitBreaker ?? '']).map(
        (field) =>
          `targets.apps.${app}.circuitBreaker: ${field} of ${circuitBreaker} means nothing between apps, since Envoy has no half-open state`,
      ),
    ),
    ...actors
      .filter(([, { circuitBreaker }]) => circuitBreaker !== undefined)
      .map(([type]) => `targets.actors.${type}.circuitBreaker: an actor has one owner, so Envoy does not break calls to it`),
  ];
}

/** @returns the fields of a breaker that Envoy's outlier detection has no counterpart for */
function withoutHalfOpen(
  breaker: { readonly maxRequests?: unknown; readonly interval?: unknown } | undefined,
): readonly string[] {
  return (['maxRequests', 'interval'] as const).filter(
    (field) => breaker?.[field] !== undefined && breaker[field] !== NO_EFFECT[field],
  );
}

/** What Dapr takes when nothing is said. */
const NO_EFFECT: Readonly<Record<string, unknown>> = { maxRequests: 1, interval: '0s' };
