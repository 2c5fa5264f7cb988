import type { Attributes } from '@opentelemetry/api';
import { LOCAL_APP_CLUSTER } from '../../model/names.js';

export interface SeenBy {
  /** Whose Envoy it was. */
  readonly appId: string;
  /** True: a call for the app; false: a call by the app. */
  readonly inbound: boolean;
}

/** What the tags of Envoy's tracer tell of a call. Envoy names spans by authority and has no words for apps, so both are made here. */
interface Call {
  /** Without the query: that may hold tokens. */
  readonly path: string;
  readonly grpc: boolean;
  /** `app`, `actor`, `external` or `local`, with namespace and name. */
  readonly cluster: readonly string[];
}

const INVOKE = /^\/v1\.0\/invoke\/([^/]+)\/method\/(.*)$/;
const ACTOR = /^\/v1\.0\/actors\/([^/]+)\/([^/]+)\/method\/([^/]+)$/;

const HEALTH = /^\/v1\.0\/healthz(?:\/|$)/;

/** @returns the span's name and attributes in Dapr's terms (reference §8); undefined for a question after the sidecar's health */
export function describeCall(
  tags: ReadonlyMap<string, string>,
  seen: SeenBy,
): { name: string; attributes: Attributes } | undefined {
  const call = callOf(tags);
  if (!seen.inbound && HEALTH.test(call.path)) return undefined;
  const { name, ...known } = nameOf(call, seen);
  const method = tags.get('http.method') ?? '';
  const attributes: Attributes = {
    'dapr.api': call.grpc ? call.path : `${method} ${call.path}`,
    'dapr.protocol': call.grpc ? 'grpc' : 'http',
    'http.request.method': method,
    'url.full': call.path,
    ...known,
  };
  const status = (call.grpc && tags.get('grpc.status_code')) || tags.get('http.status_code');
  if (status) attributes['dapr.status_code'] = status;
  copy(tags, attributes, {
    'peer.address': 'net.sock.peer.addr',
    response_flags: 'envoy.response_flags',
    upstream_address: 'server.address',
  });
  return { name, attributes };
}

/** Envoy says `-` for what there is none of. */
function copy(tags: ReadonlyMap<string, string>, attributes: Attributes, names: Readonly<Record<string, string>>): void {
  for (const [from, to] of Object.entries(names)) {
    const value = tags.get(from);
    if (value && value !== '-') attributes[to] = value;
  }
}

function callOf(tags: ReadonlyMap<string, string>): Call {
  const url = tags.get('http.url') ?? '';
  const at = url.indexOf('/', url.indexOf('://') + 3);
  const [path = '/'] = (at < 0 ? '/' : url.slice(at)).split(/[?#]/);
  const cluster = tags.get('upstream_cluster.name') || tags.get('upstream_cluster') || '';
  return { path, grpc: tags.has('grpc.path') || tags.has('grpc.status_code'), cluster: cluster.split('|') };
}

type Named = { readonly name: string } & Attributes;

function nameOf({ path, grpc, cluster }: Call, { appId, inbound }: SeenBy): Named {
  const [kind = '', , target = ''] = cluster;
  const [, type, id, method] = ACTOR.exec(path) ?? [];
  if (type && id && method && (inbound || kind === 'actor' || kind === ''))
    return { name: `CallActor/${type}/${method}`, 'dapr.actor': `${type}.${id}`, 'rpc.service': 'ServiceInvocation' };
  if (grpc) return { name: path, 'rpc.service': 'ServiceInvocation', ...peer(target.split('@')[0] ?? '') };
  const [, invoked, rest] = inbound ? [] : (INVOKE.exec(path) ?? []);
  if (invoked !== undefined) return invocation(invoked, rest ?? '');
  if (inbound || cluster.join('|') === LOCAL_APP_CLUSTER) return invocation(appId, path.slice(1));
  if (kind === 'app' || kind === 'external') return invocation(target.split('@')[0] ?? target, path.slice(1));
  return { name: path };
}

const invocation = (app: string, method: string): Named => ({
  name: `CallLocal/${app}/${method}`,
  'dapr.invoke_method': method,
  'rpc.service': 'ServiceInvocation',
  ...peer(app),
});

const peer = (app: string): Attributes => (app === '' ? {} : { 'net.peer.name': app });
