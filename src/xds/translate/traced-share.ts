import type { ConfigurationSpec } from '../../model/configuration.js';
import type { Instance } from '../../model/instance.js';
import type { MeshProfile } from '../../model/mesh-profile.js';
import { countsPaths } from '../../model/metrics/spec.js';
import { samplingRate, tracingSettings } from '../../model/telemetry.js';

interface TracingInputs {
  readonly profile: MeshProfile;
  readonly spec: ConfigurationSpec;
  readonly pipelines: { readonly http: readonly unknown[] };
}

/** @returns share of the traces starting at this Envoy that are recorded; 0: it makes no spans at all */
export function tracedShare({ spanSink }: Instance, { profile, spec }: Pick<TracingInputs, 'profile' | 'spec'>): number {
  if (profile.tracing !== 'own' || !spanSink?.socket) return 0;
  const settings = tracingSettings(spec);
  if (settings) return settings.samplingRate;
  if (!spanSink.hasCollector) return 0;
  // Whoever names a collector in the environment wants all, unless a rate is given (src/model/telemetry.ts, withEnvironment).
  const rate = spec.tracing?.samplingRate;
  return rate === undefined || rate === null || rate === '' ? 1 : samplingRate(spec);
}

/** A recorded call passes Envoy once more at each end: beyond this share that costs more than it saves. */
const APART_UP_TO = 0.1;

/**
 * @returns whether recorded calls go apart. Not with a pipeline, whose filters a preflight must not meet, and not where paths are counted, which
 * would count a recorded call twice.
 */
export function tracesApart(instance: Instance, settings: TracingInputs): boolean {
  const { sockets } = instance;
  const share = tracedShare(instance, settings);
  if (share === 0 || share > APART_UP_TO || !sockets?.traced || !sockets.tracedInbound) return false;
  return settings.pipelines.http.length === 0 && !countsPaths(settings.spec);
}
