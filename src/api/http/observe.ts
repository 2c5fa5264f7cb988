import type { FastifyReply, FastifyRequest } from 'fastify';
import { urlOf } from '../../blocks/invoke/relay.js';
import type { HttpLabels } from '../../telemetry/metrics/http-labels.js';
import type { SidecarMetrics } from '../../telemetry/metrics/sidecar-metrics.js';
import type { HttpRoute } from './route.js';

export type HttpHandle = (request: FastifyRequest, reply: FastifyReply) => unknown;
/** Puts something around the handling of a route's requests. */
export type ObserveHttp = (route: Pick<HttpRoute, 'operation' | 'group'>, handle: HttpHandle) => HttpHandle;

type HttpSeries = ReturnType<typeof seriesOf>;

/** @returns what counts each request under its operation, or its path; as long as it is the operation, series are looked up once per method and status */
export function countHttp(metrics: SidecarMetrics): ObserveHttp {
  const { http } = metrics;
  return ({ operation }, handle) => {
    const series = seriesOfRoute(metrics, operation);
    return (request, reply) => {
      const startedAt = performance.now();
      const { raw } = reply;
      const { socket, headers, method = '' } = request.raw;
      const before = socket.bytesWritten;
      raw.on('close', () => {
        const labels = metrics.httpLabels();
        const found = labels.byPath
          ? seriesOf(http, [labels.method(method), labels.path(operation, urlOf(request.raw)), String(raw.statusCode)])
          : series(labels, method, raw.statusCode);
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

function seriesOf(http: SidecarMetrics['http'], labels: readonly string[]) {
  return {
    requests: http.requests.of(...labels),
    responses: http.responses.of(...labels),
    latency: http.latency.of(...labels),
    requestBytes: http.requestBytes.of(...labels),
    responseBytes: http.responseBytes.of(...labels),
  };
}
