const UNIT_MS: Readonly<Record<string, number>> = { ns: 1e-6, us: 1e-3, µs: 1e-3, ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/**
 * Parses a Go duration such as `1h2m3.5s` or `-30ms`.
 * @returns milliseconds, undefined when `text` is not a duration
 */
export function parseGoDuration(text: string): number | undefined {
  if (text === '0') return 0;
  const sign = text.startsWith('-') ? -1 : 1;
  const rest = text.replace(/^[+-]/, '');
  if (!/^(\d+(\.\d*)?(ns|us|µs|ms|s|m|h))+$/.test(rest)) return undefined;
  let total = 0;
  for (const [, amount, unit] of rest.matchAll(/(\d+(?:\.\d*)?)(ns|us|µs|ms|s|m|h)/g))
    total += Number(amount) * (UNIT_MS[unit as string] as number);
  return sign * total;
}

/** @returns whether Dapr takes `text` for true (reference §1.1) */
export function isTruthy(text: string | undefined): boolean {
  return text !== undefined && ['y', 'yes', 'true', 't', 'on', '1'].includes(text.toLowerCase());
}
