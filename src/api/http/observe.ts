import type { FastifyReply, FastifyRequest } from 'fastify';
import { urlOf } from '../../blocks/invoke/relay.js';
import type { HttpLabels } from '../../telemetry/metrics/http-labels.js';
import type { SidecarMetrics } from '../../telemetry/metrics/sidecar-metrics.js';
import type { HttpRoute } from './route.js';

export type HttpHandle = (request: FastifyRequest, reply: FastifyReply) => unknown;
/** Puts something around the handling of a route's requests. */
export type ObserveHttp = (route: Pick<HttpRoute, 'operation' | 'group'>, handle: HttpHandle) => HttpHandle;

type HttpSeries = ReturnType<typeof seriesOf>;

/** Beyond so many the looked-up series are looked up anew. */
const MAX_KNOWN = 1000;

/** @returns what counts each request under its path, or its operation */
export function countHttp(metrics: SidecarMetrics): ObserveHttp {
  const byPath = seriesByPath(metrics);
  return ({ operation }, handle) => {
    const byOperation = seriesOfRoute(metrics, operation);
    return (request, reply) => {
      const startedAt = performance.now();
      const { raw } = reply;
      const { socket, headers, method = '' } = request.raw;
      const before = socket.bytesWritten;
      raw.on('close', () => {
        const labels = metrics.httpLabels();
        const found = labels.byPath
          ? byPath(labels, method, labels.path(operation, urlOf(request.raw)), raw.statusCode)
          : byOperation(labels, method, raw.statusCode);
        found.requests.value += 1;
        found.responses.value += 1;
        found.latency.observe(performance.now() - startedAt);
        const length = headers['content-length'];
        found.requestBytes.observe(length === undefined ? 0 : Number(length));
        found.responseBytes.observe(socket.bytesWritten - before);
      });
      return handle(request, reply);
    };
  };
}

/** @returns the series of one route's operation, kept for as long as labels stay what they are */
function seriesOfRoute({ http }: SidecarMetrics, operation: string) {
  let generation = 0;
  const known = new Map<string, HttpSeries[]>();
  return (labels: HttpLabels, method: string, status: number): HttpSeries => {
    if (labels.generation !== generation) known.clear();
    generation = labels.generation;
    const byStatus = known.get(method) ?? [];
    known.set(method, byStatus);
    byStatus[status] ??= seriesOf(http, [labels.method(method), operation, String(status)]);
    return byStatus[status];
  };
}

/** @returns the series of a path, kept likewise; each family has its own bound, so what is kept need not be all there are */
function seriesByPath({ http }: SidecarMetrics) {
  let generation = 0;
  let size = 0;
  const known = new Map<string, Map<string, HttpSeries[]>>();
  const add = (method: string, path: string): HttpSeries[] => {
    size += 1;
    const made: HttpSeries[] = [];
    const paths = known.get(method) ?? new Map<string, HttpSeries[]>();
    known.set(method, paths.set(path, made));
    return made;
  };
  return (labels: HttpLabels, verb: string, path: string, status: number): HttpSeries => {
    if (labels.generation !== generation || size > MAX_KNOWN) {
      known.clear();
      size = 0;
    }
    generation = labels.generation;
    const method = labels.method(verb);
    const byStatus = known.get(method)?.get(path) ?? add(method, path);
    byStatus[status] ??= seriesOf(http, [method, path, String(status)]);
    return byStatus[status];
  };
}

function seriesOf(http: SidecarMetrics['http'], labels: readonly string[]) {
  return {
    requests: http.requests.of(...labels),
    responses: http.responses.of(...labels),
    latency: http.latency.of(...labels),
    requestBytes: http.requestBytes.of(...labels),
    responseBytes: http.responseBytes.of(...labels),
  };
}
