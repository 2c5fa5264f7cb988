import type { SidecarMetrics } from '../../telemetry/metrics/sidecar-metrics.js';
import type { WordedError } from '../envoy/call-log.js';
import { isInbound } from './envoy-series.js';
import type { EnvoySample } from './envoy-stats.js';
import type { Series, SeriesSet } from './series.js';

/** `error_code_total` (reference §8) for the errors that Envoy words: each is counted by the sidecar whose Envoy does it. */

const ERRORS: Series = { name: 'dapr_error_code_total', help: '', type: 'counter' };
const DIRECT_INVOKE = ['ERR_DIRECT_INVOKE', 'service-invocation'] as const;
const OTHER = ['ERROR', 'common'] as const;

/** @returns what counts each error that Envoy tells of */
export const countWorded =
  ({ errors, settings }: SidecarMetrics) =>
  (error: WordedError): void => {
    if (settings().recordErrorCodes) errors.of(...(error === 'directInvoke' ? DIRECT_INVOKE : OTHER)).value += 1;
  };

/** Adds the calls that access rules denied, which Envoy counts anyway. */
export function addDenials(set: SeriesSet, stats: readonly EnvoySample[], { settings }: Pick<SidecarMetrics, 'settings'>): void {
  if (!settings().recordErrorCodes) return;
  const denied = stats.find((sample) => isInbound(sample) && sample.name === 'rbac_denied')?.value ?? 0;
  const [errorCode, category] = DIRECT_INVOKE;
  if (denied > 0) set.add(ERRORS, { error_code: errorCode, category }, denied);
}
