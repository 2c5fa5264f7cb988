import type { FastifyReply, FastifyRequest } from 'fastify';
import type { SidecarMetrics } from '../../telemetry/metrics/sidecar-metrics.js';
import type { HttpRoute } from './route.js';

export type HttpHandle = (request: FastifyRequest, reply: FastifyReply) => unknown;
/** Puts something around the handling of a route's requests. */
export type ObserveHttp = (route: Pick<HttpRoute, 'operation' | 'group'>, handle: HttpHandle) => HttpHandle;

type HttpSeries = ReturnType<typeof seriesOf>;

/** @returns what counts each request under its operation; the series of a route are looked up once per method and status */
export function countHttp({ http }: SidecarMetrics): ObserveHttp {
  return ({ operation }, handle) => {
    const known = new Map<string, HttpSeries[]>();
    const series = (method: string, status: number): HttpSeries => {
      const byStatus = known.get(method) ?? [];
      known.set(method, byStatus);
      byStatus[status] ??= seriesOf(http, [method, operation, String(status)]);
      return byStatus[status];
    };
    return (request, reply) => {
      const startedAt = performance.now();
      const { raw } = reply;
      const { socket, headers, method = '' } = request.raw;
      const before = socket.bytesWritten;
      raw.on('close', () => {
        const found = series(method, raw.statusCode);
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

function seriesOf(http: SidecarMetrics['http'], labels: readonly string[]) {
  return {
    requests: http.requests.of(...labels),
    responses: http.responses.of(...labels),
    latency: http.latency.of(...labels),
    requestBytes: http.requestBytes.of(...labels),
    responseBytes: http.responseBytes.of(...labels),
  };
}
