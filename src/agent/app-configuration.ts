import type { ConfigSource } from '../blocks/config-source.js';
import type { SecretScope } from '../blocks/secrets/scopes.js';
import type { CallPolicies } from '../gen/weft/config/v1/config.js';
import { type ApiBlock, apiBlock } from '../model/access/api-rules.js';
import { type ApiLogSpec, logsCalls } from '../model/access-log.js';
import type { ConfigurationSpec } from '../model/configuration.js';
import { type MetricsSettings, metricsSettings } from '../model/metrics/spec.js';
import { type TelemetrySpec, tracingSettings, withEnvironment } from '../model/telemetry.js';
import type { Tracing } from '../telemetry/tracing/tracing.js';

/** What the filter service reads of its app's Configuration. */
export interface AppConfigurationView {
  /** Names under `spec.features` that are on. */
  enabledFeatures(): readonly string[];
  /** What Envoy carries out for the app's calls. */
  callPolicies(): readonly CallPolicies[];
  /** `spec.secrets.scopes`: which secrets the app may read. */
  secretScopes(): readonly SecretScope[] | undefined;
  /** False: the control plane has not told it yet, so nothing is known of what may be served. */
  known(): boolean;
  /** HTTP calls of the API go by `spec.httpPipeline`. */
  hasPipeline(): boolean;
  /** What `spec.api` blocks now. */
  readonly blocked: { readonly http: ApiBlock; readonly grpc: ApiBlock };
  /** How calls of the API are logged; undefined: they are not. */
  apiLog(): ApiLogSpec | undefined;
  /** Calls back after every change. @returns stop listening */
  onChange(listener: () => void): () => void;
}

interface Spec extends TelemetrySpec, ConfigurationSpec {
  readonly secrets?: { readonly scopes?: readonly SecretScope[] };
  readonly features?: readonly { readonly name?: string; readonly enabled?: boolean }[];
}

const hasHandlers = ({ httpPipeline }: Spec) => (httpPipeline?.handlers ?? []).length > 0;

/** Follows the app's Configuration; there is one resource of that kind a sidecar. */
export function followConfiguration(
  source: ConfigSource,
  {
    tracing,
    onMetrics,
    untilPipelineServes,
  }: {
    readonly tracing: Pick<Tracing, 'configure'>;
    onMetrics(settings: MetricsSettings, resiliency: readonly string[]): void;
    /** Resolves when Envoy has a pipeline, or has had its time for it. */
    untilPipelineServes(): Promise<void>;
  },
): AppConfigurationView {
  let spec: Spec = {};
  let known = false;
  let policies: readonly CallPolicies[] = [];
  let ownTracing = false;
  let http: ApiBlock | undefined;
  let grpc: ApiBlock | undefined;
  const listeners = new Set<() => void>();
  source.on('configuration', async ({ updated, removed }) => {
    let resiliency: readonly string[] = [];
    let next = removed.length > 0 ? {} : spec;
    for (const configuration of updated.values()) {
      next = configuration.specJson === '' ? {} : (JSON.parse(configuration.specJson) as Spec);
      ownTracing = configuration.ownTracing;
      policies = configuration.callPolicies;
      resiliency = configuration.resiliencyNames;
    }
    // Calls go the way they went until the new one is there. At the start there is none, and nothing is served before.
    if (known && hasHandlers(next) && !hasHandlers(spec)) await untilPipelineServes();
    spec = next;
    known = true;
    onMetrics(metricsSettings(spec), resiliency);
    http = apiBlock(spec.api, 'http');
    grpc = apiBlock(spec.api, 'grpc');
    for (const listener of listeners) listener();
    // Last: its libraries take a moment, and what may be served must not wait for them.
    await tracing.configure(ownTracing ? tracingSettings(withEnvironment(spec, process.env)) : undefined);
  });
  return {
    known: () => known,
    apiLog: () => (logsCalls(spec) ? (spec.logging?.apiLogging ?? undefined) : undefined),
    hasPipeline: () => hasHandlers(spec),
    blocked: {
      http: (group, version) => http?.(group, version) ?? false,
      grpc: (group, version) => grpc?.(group, version) ?? false,
    },
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    secretScopes: () => spec.secrets?.scopes,
    callPolicies: () => policies,
    enabledFeatures: () => (spec.features ?? []).filter(({ enabled }) => enabled).map(({ name }) => name ?? ''),
  };
}
