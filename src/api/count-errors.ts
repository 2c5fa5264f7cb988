import { type AppError, type ErrorName, PassedOnError } from '../errors.js';
import type { SidecarMetrics } from '../telemetry/metrics/sidecar-metrics.js';

/** Dapr's category of an error (reference §8), by how our names of them begin. */
const CATEGORIES: readonly (readonly [RegExp, string])[] = [
  [/^state/, 'state'],
  [/^(pubsub|topic)/, 'pubsub'],
  [/^secret/, 'secret'],
  [/^actor/, 'actor'],
  [/^invoke/, 'service-invocation'],
  [/^(health|outboundHealth)/, 'health'],
];

export const errorCategory = (name: ErrorName): string => CATEGORIES.find(([start]) => start.test(name))?.[1] ?? 'common';

/** @returns what counts the errors that the API answers with, while the Configuration wants it (`metrics.recordErrorCodes`) */
export function countErrors(metrics: SidecarMetrics): (error: AppError) => void {
  return (error) => {
    const { code, row } = error;
    if (!metrics.settings().recordErrorCodes || error instanceof PassedOnError) return;
    metrics.errors.of(row.errorCode, errorCategory(code)).value += 1;
  };
}
