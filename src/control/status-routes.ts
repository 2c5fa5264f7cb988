import { type Instance, stateOf } from '../model/instance.js';
import type { MeshModel } from '../model/mesh-model.js';
import { type NodeRole, nodeId } from '../model/names.js';
import type { StatusAnswer, StatusRequest, StatusRoutes } from './http-server.js';
import type { ControlPlaneMetrics } from './metrics.js';
import type { MtlsStatus } from './mtls-status.js';
import type { AppStatus, ComponentStatus, ProxyConfig, ProxyStatus, ProxyStatusPort } from './status.js';
import { trafficRoutes } from './traffic-routes.js';

export interface StatusDeps {
  readonly model: () => MeshModel;
  readonly proxies: ProxyStatusPort;
  readonly problems: () => readonly string[];
  readonly metrics: ControlPlaneMetrics;
  /** Milliseconds since the epoch. */
  readonly wallClock: () => number;
  readonly mtls: () => MtlsStatus;
}

/** @returns everything that the control plane shows over HTTP */
export function statusRoutes(deps: StatusDeps): StatusRoutes {
  const { model, proxies, problems, metrics } = deps;
  const json = (body: unknown): StatusAnswer => ({ body });
  return {
    '/healthz': () => ({ body: 'ok', contentType: 'text/plain' }),
    '/metrics': async () => ({ body: await metrics.text(), contentType: metrics.contentType }),
    '/v1/apps': () => json({ apps: model().instances.map((instance) => appStatus(instance, deps.wallClock())) }),
    '/v1/proxies': () => json({ proxies: allProxies(model(), proxies) }),
    '/v1/proxies/*/config': (request) => proxyConfig(request, model(), proxies),
    '/v1/mtls': () => json(deps.mtls()),
    '/v1/components': () => json({ components: componentsOf(model()) }),
    ...trafficRoutes(model, problems),
    '/v1/problems': () => json({ problems: [...problems(), ...nackProblems(proxies)] }),
  };
}

function appStatus(instance: Instance, now: number): AppStatus {
  const { appId, namespace, instanceId, pid, appPid, runPid, command, apiDoor, httpPort, grpcPort, metricsPort } = instance;
  const { appPort, appProtocol, actorTypes, startedAtMs } = instance;
  return {
    ...{ appId, namespace, instanceId, pid, appPid, runPid, command, apiDoor, httpPort, grpcPort, metricsPort },
    ...{ appPort, appProtocol, actorTypes, startedAtMs },
    state: stateOf(instance),
    ageMs: Math.max(0, now - startedAtMs),
  };
}

const ROLES: readonly NodeRole[] = ['envoy', 'service'];

/** Proxies that are or were connected, and those of attached instances that never came. */
function allProxies({ instances }: MeshModel, { proxies }: ProxyStatusPort): readonly ProxyStatus[] {
  const known = proxies();
  const ids = new Set(known.map(({ nodeId }) => nodeId));
  const missing = instances.flatMap(({ namespace, appId, instanceId }) =>
    ROLES.map((role) => ({ role, namespace, appId, instanceId }))
      .filter((node) => !ids.has(nodeId(node)))
      .map((node) => ({ nodeId: nodeId(node), node, connected: false, types: [] })),
  );
  const attached = new Set(instances.map(({ instanceId }) => instanceId));
  return [...known.filter(({ connected, node }) => connected || attached.has(node.instanceId)), ...missing];
}

function proxyConfig({ params, query }: StatusRequest, { instances }: MeshModel, port: ProxyStatusPort): StatusAnswer {
  const [app = ''] = params;
  const type = query.get('type');
  if (type !== null && !(type in port.types))
    return { status: 400, body: { message: `unknown type "${type}": use ${Object.keys(port.types).join(', ')}` } };
  const namespace = query.get('namespace');
  const wanted = instances.filter(({ appId, namespace: ns }) => appId === app && (namespace === null || ns === namespace));
  if (wanted.length === 0) return { status: 404, body: { message: `no instance of "${app}" is attached: see weft list` } };
  const types = Object.entries(port.types).filter(([name]) => type === null || name === type);
  const configs = wanted.flatMap(({ namespace: ns, appId, instanceId }) =>
    ROLES.map((role): ProxyConfig => {
      const id = nodeId({ role, namespace: ns, appId, instanceId });
      const sent = types.map(([name, typeUrl]) => ({ type: name, resources: port.sent(id, typeUrl) ?? [] }));
      return { nodeId: id, types: sent.filter(({ resources }) => resources.length > 0) };
    }),
  );
  return { body: { proxies: configs } };
}

function componentsOf(model: MeshModel): readonly ComponentStatus[] {
  const found = new Map<string, ComponentStatus>();
  for (const instance of model.instances)
    for (const { name, namespace, type, version, source } of model.resourcesFor(instance).components) {
      const key = `${namespace}/${name}@${source}`;
      const apps = [...new Set([...(found.get(key)?.apps ?? []), instance.appId])].sort();
      found.set(key, { name, namespace, type, version, source, apps });
    }
  return [...found.values()];
}

function nackProblems({ proxies }: ProxyStatusPort): readonly string[] {
  return proxies().flatMap(({ nodeId, types }) =>
    types.flatMap(({ typeUrl, nack }) =>
      nack ? [`${nodeId} refused ${typeUrl.slice(typeUrl.lastIndexOf('.') + 1)}: ${nack.message}`] : [],
    ),
  );
}
