import { Instance as InstanceMessage } from '../../src/gen/weft/registry/v1/registry.js';
import { PLAIN_PROFILE } from '../../src/mesh/profile.js';
import type { Instance } from '../../src/model/instance.js';
import type { ActorPlacement, MeshModel, ResourceSet } from '../../src/model/mesh-model.js';
import type { MeshProfile } from '../../src/model/mesh-profile.js';

export const NO_RESOURCES: ResourceSet = { components: [], subscriptions: [], configurations: [], policies: [] };

/** @returns a model whose apps all get the same resources */
export const modelOf = (
  instances: readonly Instance[],
  placements: readonly ActorPlacement[] = [],
  resources: ResourceSet = NO_RESOURCES,
  profile: MeshProfile = PLAIN_PROFILE,
): MeshModel => ({
  instances,
  placements,
  profile,
  resourcesFor: () => resources,
  configurationFor: ({ appId, namespace }) => ({
    appId,
    namespace,
    specJson: '{}',
    resiliencyNames: [],
    ownTracing: true,
    callPolicies: [],
  }),
});

/** @returns `model` with these Configurations, by app id */
export const withSpecs = (model: MeshModel, specs: Readonly<Record<string, unknown>> = {}): MeshModel => ({
  ...model,
  configurationFor: (instance) => ({
    ...model.configurationFor(instance),
    specJson: JSON.stringify(specs[instance.appId] ?? {}),
  }),
});

/** @returns a ready HTTP app on the Envoy door of a host of its own; its run directory is `runDir` */
export function instanceOf(
  partial: Partial<Instance> & { readonly appId: string },
  runDir = `/run/weft/${partial.instanceId ?? partial.appId}`,
): Instance {
  const socket = (name: string) => `${runDir}/${name}.sock`;
  return {
    ...InstanceMessage.fromPartial({
      namespace: 'default',
      instanceId: partial.appId,
      address: '10.0.0.1',
      inboundPort: 7000,
      appAddress: '127.0.0.1',
      appPort: 6001,
      appProtocol: 'http',
      appReady: true,
      apiDoor: 'envoy',
      apiAddress: '127.0.0.1',
      httpPort: 3500,
      grpcPort: 50001,
      sockets: {
        serviceHttp: socket('api'),
        serviceGrpc: socket('grpc'),
        loopback: socket('loop'),
        self: socket('self'),
        door: socket('door'),
        extProc: socket('ext'),
        traced: socket('out'),
        tracedInbound: socket('in'),
      },
    }),
    lease: 'live',
    ...partial,
  };
}
