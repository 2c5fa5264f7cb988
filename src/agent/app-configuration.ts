import type { ConfigSource } from '../blocks/config-source.js';
import { metricsEnabled, type TelemetrySpec } from '../model/telemetry.js';

/** What the filter service reads of its app's Configuration. */
export interface AppConfigurationView {
  /** Names under `spec.features` that are on. */
  enabledFeatures(): readonly string[];
  /** `spec.metrics.enabled`, under either of its names. */
  metricsEnabled(): boolean;
}

interface Spec extends TelemetrySpec {
  readonly features?: readonly { readonly name?: string; readonly enabled?: boolean }[];
}

/** Follows the app's Configuration; there is one resource of that kind a sidecar. */
export function followConfiguration(source: ConfigSource): AppConfigurationView {
  let spec: Spec = {};
  source.on('configuration', async ({ updated, removed }) => {
    if (removed.length > 0) spec = {};
    for (const { specJson } of updated.values()) spec = specJson === '' ? {} : (JSON.parse(specJson) as Spec);
  });
  return {
    metricsEnabled: () => metricsEnabled(spec),
    enabledFeatures: () => (spec.features ?? []).filter(({ enabled }) => enabled).map(({ name }) => name ?? ''),
  };
}
