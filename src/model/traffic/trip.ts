export const DEFAULT_TRIP = 'consecutiveFailures > 5';

/**
 * Envoy counts failures in a row for each instance, and nothing else that a trip expression may speak of.
 * @returns after how many failures in a row the breaker opens; undefined: `trip` says something else
 */
export function consecutiveFailuresOf(trip: string): number | undefined {
  const [, operator, digits] = /^\s*consecutiveFailures\s*(>=?|==)\s*(\d{1,6})\s*$/.exec(trip) ?? [];
  if (digits === undefined) return undefined;
  const failures = Number(digits) + (operator === '>' ? 1 : 0);
  return failures > 0 ? failures : undefined;
}

interface Spec {
  readonly policies?:
    | { readonly circuitBreakers?: Readonly<Record<string, { readonly trip?: string | undefined }>> | undefined }
    | undefined;
  readonly targets?:
    | { readonly apps?: Readonly<Record<string, { readonly circuitBreaker?: string | undefined }>> | undefined }
    | undefined;
}

/** @returns the circuit breakers of a Resiliency that apps get and Envoy cannot follow, by name */
export function unknownTrips({ policies, targets }: Spec): readonly string[] {
  const breakers = policies?.circuitBreakers ?? {};
  const byDefault = ['DefaultAppCircuitBreakerPolicy', 'DefaultCircuitBreakerPolicy'].find((name) => breakers[name]);
  const named = Object.values(targets?.apps ?? {}).map(({ circuitBreaker }) => circuitBreaker);
  const used = new Set([...named, byDefault].filter((name) => name !== undefined));
  return [...used].filter((name) => breakers[name] && consecutiveFailuresOf(breakers[name].trip ?? DEFAULT_TRIP) === undefined);
}
