import type { Runtime, SidecarMetadata, SubscriptionMetadata } from '../../blocks/runtime.js';
import {
  ActorRuntime_ActorRuntimeStatus as ActorStatus,
  GetMetadataResponse,
  PubsubSubscriptionType as SubscriptionType,
} from '../../gen/dapr/proto/runtime/v1/metadata.js';
import type { DaprMethods } from './methods.js';
import { unary } from './unary.js';

/** Metadata and shutdown over gRPC (reference §3.9). */
export function metaMethods(runtime: Runtime): DaprMethods {
  return {
    getMetadata: unary(() => metadataResponse(runtime.metadata())),
    setMetadata: unary(({ key, value }) => {
      runtime.setMetadata(key, value);
      return {};
    }),
    shutdown: unary(() => {
      // After the answer is on its way: the stop ends this very connection.
      setImmediate(() => runtime.shutdown(false));
      return {};
    }),
  };
}

function metadataResponse(metadata: SidecarMetadata): GetMetadataResponse {
  const { actorRuntime } = metadata;
  return GetMetadataResponse.fromPartial({
    id: metadata.id,
    runtimeVersion: metadata.runtimeVersion,
    enabledFeatures: [...metadata.enabledFeatures],
    activeActorsCount: [...actorRuntime.activeActors],
    registeredComponents: metadata.components.map((component) => ({ ...component, capabilities: [...component.capabilities] })),
    extendedMetadata: { ...metadata.extended },
    subscriptions: metadata.subscriptions.map(subscription),
    httpEndpoints: [...metadata.httpEndpoints],
    ...(metadata.appConnectionProperties ? { appConnectionProperties: { ...metadata.appConnectionProperties } } : {}),
    actorRuntime: {
      runtimeStatus: ActorStatus[actorRuntime.runtimeStatus],
      activeActors: [...actorRuntime.activeActors],
      hostReady: actorRuntime.hostReady,
      placement: actorRuntime.placement,
    },
  });
}

function subscription({ pubsubname, topic, metadata, rules, deadLetterTopic, type }: SubscriptionMetadata) {
  return {
    pubsubName: pubsubname,
    topic,
    metadata: { ...metadata },
    rules: { rules: rules.map((rule) => ({ ...rule })) },
    deadLetterTopic,
    type: SubscriptionType[type],
  };
}
