import type { BinaryWriter } from '@bufbuild/protobuf/wire';
import { Cluster } from '../../gen/envoy/config/cluster/v3/cluster.js';
import type { TypedExtensionConfig } from '../../gen/envoy/config/core/v3/extension.js';
import { ClusterLoadAssignment } from '../../gen/envoy/config/endpoint/v3/endpoint.js';
import { Listener } from '../../gen/envoy/config/listener/v3/listener.js';
import { Action as RbacAction } from '../../gen/envoy/config/rbac/v3/rbac.js';
import { RouteConfiguration } from '../../gen/envoy/config/route/v3/route.js';
import { Route, RouteList } from '../../gen/envoy/config/route/v3/route_components.js';
import { OpenTelemetryConfig } from '../../gen/envoy/config/trace/v3/opentelemetry.js';
import { StdoutAccessLog } from '../../gen/envoy/extensions/access_loggers/stream/v3/stream.js';
import { ExtensionWithMatcher } from '../../gen/envoy/extensions/common/matching/v3/extension_matcher.js';
import { Gzip } from '../../gen/envoy/extensions/compression/gzip/compressor/v3/gzip.js';
import { Compressor } from '../../gen/envoy/extensions/filters/http/compressor/v3/compressor.js';
import { Cors, CorsPolicy } from '../../gen/envoy/extensions/filters/http/cors/v3/cors.js';
import { CredentialInjector } from '../../gen/envoy/extensions/filters/http/credential_injector/v3/credential_injector.js';
import { ExternalProcessor } from '../../gen/envoy/extensions/filters/http/ext_proc/v3/ext_proc.js';
import { HTTPFault } from '../../gen/envoy/extensions/filters/http/fault/v3/fault.js';
import { JwtAuthentication } from '../../gen/envoy/extensions/filters/http/jwt_authn/v3/config.js';
import { OAuth2 } from '../../gen/envoy/extensions/filters/http/oauth2/v3/oauth.js';
import { RBAC } from '../../gen/envoy/extensions/filters/http/rbac/v3/rbac.js';
import { Router } from '../../gen/envoy/extensions/filters/http/router/v3/router.js';
import {
  StatefulSession,
  StatefulSessionPerRoute,
} from '../../gen/envoy/extensions/filters/http/stateful_session/v3/stateful_session.js';
import { HttpConnectionManager } from '../../gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.js';
import { RBAC as NetworkRbac } from '../../gen/envoy/extensions/filters/network/rbac/v3/rbac.js';
import { Generic } from '../../gen/envoy/extensions/http/injected_credentials/generic/v3/generic.js';
import { OAuth2 as InjectedOAuth2 } from '../../gen/envoy/extensions/http/injected_credentials/oauth2/v3/oauth2.js';
import { CookieBasedSessionState } from '../../gen/envoy/extensions/http/stateful_session/cookie/v3/cookie.js';
import { HeaderBasedSessionState } from '../../gen/envoy/extensions/http/stateful_session/header/v3/header.js';
import { RuntimeFraction } from '../../gen/envoy/extensions/matching/input_matchers/runtime_fraction/v3/runtime_fraction.js';
import { UuidRequestIdConfig } from '../../gen/envoy/extensions/request_id/uuid/v3/uuid.js';
import { PreviousHostsPredicate } from '../../gen/envoy/extensions/retry/host/previous_hosts/v3/previous_hosts.js';
import { RawBuffer } from '../../gen/envoy/extensions/transport_sockets/raw_buffer/v3/raw_buffer.js';
import { DownstreamTlsContext, UpstreamTlsContext } from '../../gen/envoy/extensions/transport_sockets/tls/v3/tls.js';
import { HttpRequestHeaderMatchInput } from '../../gen/envoy/type/matcher/v3/http_inputs.js';
import type { Any } from '../../gen/google/protobuf/any.js';
import { Empty } from '../../gen/google/protobuf/empty.js';
import { StringValue } from '../../gen/google/protobuf/wrappers.js';
import {
  ActorPlacement,
  ActorResiliency,
  AppConfiguration,
  Component,
  ComponentResiliency,
  HttpEndpoint,
  Subscription,
} from '../../gen/weft/config/v1/config.js';
import { EarlyHeaderMutation } from '../../gen/weft/envoy/v1/header_mutation.js';
import { HttpProtocolOptions } from '../../gen/weft/envoy/v1/http_protocol_options.js';
import { LocalRateLimit } from '../../gen/weft/envoy/v1/local_rate_limit.js';
import { SetConnectionState } from '../../gen/weft/envoy/v1/set_filter_state.js';
import { ParentBasedSampler, TraceIdRatioSampler } from '../../gen/weft/envoy/v1/trace_samplers.js';

/** What ts-proto generates for a message. */
export interface Codec<T> {
  encode(message: T, writer?: BinaryWriter): BinaryWriter;
  decode(input: Uint8Array): T;
  toJSON(message: T): unknown;
}

/** A message type with the name that it travels under. */
export interface MessageType<T> {
  readonly url: string;
  readonly codec: Codec<T>;
}

const type = <T>(name: string, codec: Codec<T>): MessageType<T> => ({ url: `type.googleapis.com/${name}`, codec });

/** Every message that we put into an Any, or serve. */
export const messageTypes = {
  cluster: type('envoy.config.cluster.v3.Cluster', Cluster),
  endpoint: type('envoy.config.endpoint.v3.ClusterLoadAssignment', ClusterLoadAssignment),
  listener: type('envoy.config.listener.v3.Listener', Listener),
  routeConfiguration: type('envoy.config.route.v3.RouteConfiguration', RouteConfiguration),
  route: type('envoy.config.route.v3.Route', Route),
  routeList: type('envoy.config.route.v3.RouteList', RouteList),
  connectionManager: type(
    'envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager',
    HttpConnectionManager,
  ),
  router: type('envoy.extensions.filters.http.router.v3.Router', Router),
  httpProtocolOptions: type('envoy.extensions.upstreams.http.v3.HttpProtocolOptions', HttpProtocolOptions),
  upstreamTls: type('envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext', UpstreamTlsContext),
  downstreamTls: type('envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext', DownstreamTlsContext),
  rawBuffer: type('envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer', RawBuffer),
  networkRbac: type('envoy.extensions.filters.network.rbac.v3.RBAC', NetworkRbac),
  setConnectionState: type('envoy.extensions.filters.network.set_filter_state.v3.Config', SetConnectionState),
  previousHosts: type('envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate', PreviousHostsPredicate),
  rbac: type('envoy.extensions.filters.http.rbac.v3.RBAC', RBAC),
  rbacAction: type('envoy.config.rbac.v3.Action', RbacAction),
  // It has no fields.
  uriSanInput: type('envoy.extensions.matching.common_inputs.ssl.v3.UriSanInput', Empty),
  // Its one field is a text.
  celFilter: type('envoy.extensions.access_loggers.filters.cel.v3.ExpressionFilter', StringValue),
  extensionWithMatcher: type('envoy.extensions.common.matching.v3.ExtensionWithMatcher', ExtensionWithMatcher),
  // It has no fields.
  skipFilter: type('envoy.extensions.filters.common.matcher.action.v3.SkipFilter', Empty),
  localRateLimit: type('envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit', LocalRateLimit),
  jwtAuthn: type('envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication', JwtAuthentication),
  oauth2: type('envoy.extensions.filters.http.oauth2.v3.OAuth2', OAuth2),
  credentialInjector: type('envoy.extensions.filters.http.credential_injector.v3.CredentialInjector', CredentialInjector),
  injectedOauth2: type('envoy.extensions.http.injected_credentials.oauth2.v3.OAuth2', InjectedOAuth2),
  injectedGeneric: type('envoy.extensions.http.injected_credentials.generic.v3.Generic', Generic),
  // It has no fields.
  upstreamCodec: type('envoy.extensions.filters.http.upstream_codec.v3.UpstreamCodec', Empty),
  compressor: type('envoy.extensions.filters.http.compressor.v3.Compressor', Compressor),
  gzip: type('envoy.extensions.compression.gzip.compressor.v3.Gzip', Gzip),
  extProc: type('envoy.extensions.filters.http.ext_proc.v3.ExternalProcessor', ExternalProcessor),
  fault: type('envoy.extensions.filters.http.fault.v3.HTTPFault', HTTPFault),
  headerInput: type('envoy.type.matcher.v3.HttpRequestHeaderMatchInput', HttpRequestHeaderMatchInput),
  earlyHeaderMutation: type('envoy.extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation', EarlyHeaderMutation),
  cors: type('envoy.extensions.filters.http.cors.v3.Cors', Cors),
  corsPolicy: type('envoy.extensions.filters.http.cors.v3.CorsPolicy', CorsPolicy),
  statefulSession: type('envoy.extensions.filters.http.stateful_session.v3.StatefulSession', StatefulSession),
  statefulSessionPerRoute: type(
    'envoy.extensions.filters.http.stateful_session.v3.StatefulSessionPerRoute',
    StatefulSessionPerRoute,
  ),
  cookieSession: type('envoy.extensions.http.stateful_session.cookie.v3.CookieBasedSessionState', CookieBasedSessionState),
  headerSession: type('envoy.extensions.http.stateful_session.header.v3.HeaderBasedSessionState', HeaderBasedSessionState),
  stdoutAccessLog: type('envoy.extensions.access_loggers.stream.v3.StdoutAccessLog', StdoutAccessLog),
  openTelemetry: type('envoy.config.trace.v3.OpenTelemetryConfig', OpenTelemetryConfig),
  parentBasedSampler: type('envoy.extensions.tracers.opentelemetry.samplers.v3.ParentBasedSamplerConfig', ParentBasedSampler),
  ratioSampler: type('envoy.extensions.tracers.opentelemetry.samplers.v3.TraceIdRatioBasedSamplerConfig', TraceIdRatioSampler),
  runtimeFraction: type('envoy.extensions.matching.input_matchers.runtime_fraction.v3.RuntimeFraction', RuntimeFraction),
  uuidRequestId: type('envoy.extensions.request_id.uuid.v3.UuidRequestIdConfig', UuidRequestIdConfig),
  component: type('weft.config.v1.Component', Component),
  resiliency: type('weft.config.v1.ComponentResiliency', ComponentResiliency),
  actorResiliency: type('weft.config.v1.ActorResiliency', ActorResiliency),
  externalEndpoint: type('weft.config.v1.HttpEndpoint', HttpEndpoint),
  subscription: type('weft.config.v1.Subscription', Subscription),
  placement: type('weft.config.v1.ActorPlacement', ActorPlacement),
  configuration: type('weft.config.v1.AppConfiguration', AppConfiguration),
} as const;

/** @returns `message` in an Any */
export const pack = <T>(messageType: MessageType<T>, message: T): Any => ({
  typeUrl: messageType.url,
  value: Buffer.from(messageType.codec.encode(message).finish()),
});

/** @returns `message` as a named extension */
export const extension = <T>(name: string, messageType: MessageType<T>, message: T): TypedExtensionConfig => ({
  name,
  typedConfig: pack(messageType, message),
});

const byUrl = new Map<string, MessageType<unknown>>(
  Object.values(messageTypes).map((entry) => [entry.url, entry as MessageType<unknown>]),
);

/** @returns `value` (JSON of a message) with every Any in it replaced by the JSON of its content, under `@type` */
export function expandAny(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(expandAny);
  if (typeof value !== 'object' || value === null) return value;
  const { typeUrl, value: inner } = value as { typeUrl?: unknown; value?: unknown };
  const known = typeof typeUrl === 'string' ? byUrl.get(typeUrl) : undefined;
  if (known) {
    const bytes = Buffer.from(typeof inner === 'string' ? inner : '', 'base64');
    return { '@type': known.url, ...(expandAny(known.codec.toJSON(known.codec.decode(bytes))) as object) };
  }
  return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, expandAny(entry)]));
}
