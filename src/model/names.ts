/** Every generated name in one place. Parts never hold `|` or `~`: app ids and namespaces are validated on entry. */

/** @returns the cluster of an app's instances, also its EDS name */
export const appCluster = (namespace: string, appId: string): string => `app|${namespace}|${appId}`;
/** @returns the cluster of all instances of an app, or of those with one version */
export const refCluster = (ref: { readonly namespace: string; readonly appId: string; readonly version: string }): string =>
  appCluster(ref.namespace, ref.version === '' ? ref.appId : `${ref.appId}@${ref.version}`);
/** @returns the cluster of an actor type's hosts, also its EDS name */
export const actorCluster = (namespace: string, actorType: string): string => `actor|${namespace}|${actorType}`;
/** @returns the cluster of an HTTPEndpoint; its resource may stand in no namespace */
export const externalCluster = (namespace: string, name: string): string => `external|${namespace}|${name}`;
/** @returns the cluster for calls of that endpoint by its URL, which bring none of its headers */
export const externalUrlCluster = (namespace: string, name: string): string => `external|${namespace}|${name}|url`;
/** This app itself, as its own Envoy reaches it (behind the inbound listener). */
export const LOCAL_APP_CLUSTER = 'local|app';
/** The filter service over its Unix socket: HTTP/1.1 API, and gRPC API. */
export const SERVICE_HTTP_CLUSTER = 'local|service-http';
export const SERVICE_GRPC_CLUSTER = 'local|service-grpc';
/** The middleware server in the filter service. */
export const EXT_PROC_CLUSTER = 'local|ext-proc';
/** @returns the cluster of a server that middleware asks: token issuers and the like, by their origin */
export const middlewareCluster = (origin: string): string => `middleware|${origin}`;
/** The sidecar, which takes its Envoy's spans. */
export const SPANS_CLUSTER = 'local|spans';
/** This Envoy's own listeners with a tracer, for calls that the app makes and calls that arrive for it. */
export const TRACED_CLUSTER = 'local|traced';
export const TRACED_INBOUND_CLUSTER = 'local|traced-inbound';
/** The control plane; stands in the bootstrap. No `|`: Envoy makes this the `:authority` of its stream, and Node's HTTP/2 refuses it there. */
export const ADS_CLUSTER = 'weft-control-plane';

/** This sidecar's own secrets, over its Unix socket; stands in the bootstrap. */
export const SDS_CLUSTER = 'weft-sds';
/** Key with certificate, and roots, as listeners and clusters refer to them. */
export const SDS_SECRETS = { identity: 'weft-identity', roots: 'weft-roots' } as const;

/** The certificate authorities that the sidecar's system trusts; a static secret of the bootstrap. */
export const SYSTEM_ROOTS = 'weft-system-roots';

export const LISTENERS = {
  apiHttp: 'api-http',
  apiGrpc: 'api-grpc',
  inbound: 'inbound',
  loopback: 'loopback',
  door: 'door',
  self: 'self',
  traced: 'traced',
  tracedInbound: 'traced-inbound',
} as const;
export const ROUTES = {
  outbound: 'outbound',
  outboundGrpc: 'outbound-grpc',
  inbound: 'inbound',
  tracedInbound: 'traced-inbound',
} as const;

/** Headers of our own between sidecars. Client-sent ones are removed on every listener. */
export const HEADERS = {
  /** Where an inbound call is meant for: `actor` or `app-callback`; absent: the app. Of a gRPC app's calls to itself {@link TO_SELF}. */
  to: 'x-weft-to',
  /** The actor type and id of the call, `<type>/<id>`: what Envoy hashes. */
  actor: 'x-weft-actor',
  /** A host's answer that it is not the actor's owner and has not run the turn: the sender's Envoy tries again. Clients never see it. */
  actorMoved: 'x-weft-actor-moved',
  /** The owner's answer for a turn that took too long: it is tried again whatever statuses a retry names. Clients never see it. */
  actorLate: 'x-weft-actor-late',
  /** Envoy's own: an answer with it is not tried again, whatever the retry says. The owner's for a call that a breaker held back. */
  notAgain: 'x-envoy-ratelimited',
  /** Which middleware Envoy asks for; among metadata of its stream to the middleware server, not of a call. */
  middleware: 'x-weft-middleware',
  /** On calls from one listener of an Envoy to its next, which has a tracer: that it is on the way, and whom the first one saw. */
  traced: 'x-weft-traced',
  peer: 'x-weft-peer',
  forwarded: 'x-weft-forwarded',
} as const;

/** Marks a gRPC app's calls to itself, between listener and route. */
export const TO_SELF = 'self';

export type NodeRole = 'envoy' | 'service';
export interface NodeIdentity {
  readonly role: NodeRole;
  readonly namespace: string;
  readonly appId: string;
  readonly instanceId: string;
}

/** @returns the xDS node id `<role>~<namespace>~<app id>~<instance id>` */
export const nodeId = (node: NodeIdentity): string => `${node.role}~${node.namespace}~${node.appId}~${node.instanceId}`;

/** @returns undefined when `id` is not one of ours */
export function parseNodeId(id: string): NodeIdentity | undefined {
  const [role, namespace, appId, instanceId, ...rest] = id.split('~');
  if ((role !== 'envoy' && role !== 'service') || !namespace || !appId || !instanceId || rest.length > 0) return undefined;
  return { role, namespace, appId, instanceId };
}

/**
 * Calls after which Envoy replaces a connection to another sidecar or to the filter service, without an end to one of them. nghttp2, the HTTP/2
 * server of Envoy and of Node, ends a connection after 1,000 calls that were given up quickly, with everybody's calls on it, and neither takes
 * another number: it must not get that far.
 */
export const MAX_CALLS_A_CONNECTION = 900;
