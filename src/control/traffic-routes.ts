import type { MeshModel } from '../model/mesh-model.js';
import { explain } from './explain.js';
import type { StatusAnswer, StatusRequest, StatusRoutes } from './http-server.js';
import { routeStatuses } from './route-status.js';

/** @returns what the control plane shows about traffic rules */
export const trafficRoutes = (model: () => MeshModel, problems: () => readonly string[]): StatusRoutes => ({
  '/v1/routes': () => ({ body: { routes: routeStatuses(model()), problems: problems() } }),
  '/v1/apps/*/explain': (request) => explanation(request, model()),
});

function explanation({ params, query }: StatusRequest, model: MeshModel): StatusAnswer {
  const [app = ''] = params;
  const [appId = '', namespace] = app.split('.');
  const path = query.get('path') ?? '/';
  const from = query.get('from') ?? undefined;
  if (!path.startsWith('/')) return { status: 400, body: { message: `path ${path}: expected a path that starts with /` } };
  const headers = new Map(
    query.getAll('header').map((line): [string, string] => {
      const at = line.indexOf(':');
      return at < 0 ? [line.toLowerCase(), ''] : [line.slice(0, at).trim().toLowerCase(), line.slice(at + 1).trim()];
    }),
  );
  const method = (query.get('method') ?? 'GET').toUpperCase();
  const found = explain(model, { target: { appId, namespace }, from, path, method, headers });
  if (found) return { body: found };
  return {
    status: 404,
    body: { message: from ? `no instance of "${from}" is attached: see weft list` : 'no instance is attached' },
  };
}
