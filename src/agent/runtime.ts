import type { ComponentMetadata } from '../blocks/component-host.js';
import type { Runtime, SidecarMetadata, SubscriptionMetadata } from '../blocks/runtime.js';
import type { Health } from './health.js';
import type { SidecarOptions } from './options.js';

/** The Dapr release whose API this is, as SDKs and tools expect it, with our own version behind. */
export const RUNTIME_VERSION = '1.18.3-weft.0.1.0';

export interface RuntimeParts {
  readonly options: SidecarOptions;
  readonly health: Health;
  readonly enabledFeatures: () => readonly string[];
  readonly components: () => readonly ComponentMetadata[];
  readonly httpEndpoints: () => readonly string[];
  readonly subscriptions: () => readonly SubscriptionMetadata[];
  readonly actors: () => SidecarMetadata['actorRuntime'];
  readonly shutdown: (force: boolean) => void;
}

/** @returns what the health, metadata and shutdown API shows of this sidecar */
export function createRuntime(parts: RuntimeParts): Runtime {
  const { options, health } = parts;
  // What clients set, and what `weft run` knows (reference §1.8).
  const extended: Record<string, string> = { daprRuntimeVersion: RUNTIME_VERSION };
  if (options.runPid > 0) extended.cliPID = String(options.runPid);
  if (options.appPid > 0) extended.appPID = String(options.appPid);
  if (options.appCommand !== '') extended.appCommand = options.appCommand;
  return {
    appId: options.appId,
    notReady: health.notReady,
    outboundNotReady: health.outboundNotReady,
    setMetadata(key, value) {
      extended[key] = value;
    },
    shutdown: parts.shutdown,
    metadata: () => ({
      id: options.appId,
      runtimeVersion: RUNTIME_VERSION,
      enabledFeatures: parts.enabledFeatures(),
      components: parts.components(),
      extended: { ...extended },
      subscriptions: parts.subscriptions(),
      httpEndpoints: parts.httpEndpoints().map((name) => ({ name })),
      ...(options.appPort > 0 ? { appConnectionProperties: connection(options) } : {}),
      actorRuntime: parts.actors(),
    }),
  };
}

function connection(options: SidecarOptions): NonNullable<SidecarMetadata['appConnectionProperties']> {
  return {
    port: options.appPort,
    protocol: options.appProtocol,
    channelAddress: options.appAddress,
    ...(options.appMaxConcurrency ? { maxConcurrency: options.appMaxConcurrency } : {}),
  };
}
