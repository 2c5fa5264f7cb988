/** Every type that our ADS server serves, in push order: what is named before what names it (make before break). */
export const resourceTypes = {
  cluster: 'type.googleapis.com/envoy.config.cluster.v3.Cluster',
  endpoint: 'type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment',
  listener: 'type.googleapis.com/envoy.config.listener.v3.Listener',
  route: 'type.googleapis.com/envoy.config.route.v3.RouteConfiguration',
  secret: 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret',
  configuration: 'type.googleapis.com/weft.config.v1.AppConfiguration',
  // Before components: none of them serves a call without its policies.
  resiliency: 'type.googleapis.com/weft.config.v1.ComponentResiliency',
  component: 'type.googleapis.com/weft.config.v1.Component',
  // Before placements: no turn runs without its type's policies.
  actorResiliency: 'type.googleapis.com/weft.config.v1.ActorResiliency',
  externalEndpoint: 'type.googleapis.com/weft.config.v1.HttpEndpoint',
  subscription: 'type.googleapis.com/weft.config.v1.Subscription',
  placement: 'type.googleapis.com/weft.config.v1.ActorPlacement',
} as const;

export type ResourceTypeName = keyof typeof resourceTypes;
export type TypeUrl = (typeof resourceTypes)[ResourceTypeName];

export const PUSH_ORDER: readonly TypeUrl[] = Object.values(resourceTypes);
