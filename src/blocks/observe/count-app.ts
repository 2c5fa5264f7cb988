import { grpcStatusName } from '../../telemetry/metrics/grpc-status.js';
import type { SidecarMetrics } from '../../telemetry/metrics/sidecar-metrics.js';
import type { HttpCall, HttpChannel } from '../app/channel.js';
import type { CallbackObserver } from '../app/grpc-callback.js';

/** What the filter service asks of its app. Calls by name are not here: Envoy sends them, and counts them. */

/** A request that got no answer counts as one of these, as in Dapr. */
const NO_ANSWER = 500;

/** @returns `channel`, each request to the app counted */
export function countAppRequests(channel: HttpChannel, metrics: SidecarMetrics): HttpChannel {
  const { httpClient } = metrics;
  const begin = ({ method, path, body }: HttpCall) => {
    const labels = metrics.httpLabels();
    const names = [labels.method(method), labels.appPath(operationOf(path), path)];
    const startedAt = performance.now();
    httpClient.sentBytes.of(...names).observe(typeof body === 'string' || Buffer.isBuffer(body) ? Buffer.byteLength(body) : 0);
    return (status: number, received: number) => {
      const all = [...names, String(status)];
      httpClient.completed.of(...all).value += 1;
      httpClient.latency.of(...all).observe(performance.now() - startedAt);
      httpClient.receivedBytes.of().observe(received);
    };
  };
  return {
    async request(call) {
      const ended = begin(call);
      try {
        const reply = await channel.request(call);
        ended(reply.status, reply.body.length);
        return reply;
      } catch (error) {
        ended(NO_ANSWER, 0);
        throw error;
      }
    },
    async stream(call) {
      const ended = begin(call);
      try {
        const reply = await channel.stream(call);
        ended(reply.status, 0);
        return reply;
      } catch (error) {
        ended(NO_ANSWER, 0);
        throw error;
      }
    },
    close: () => channel.close(),
  };
}

/** Actors are named by traffic; every other path stands in a subscription, or is Dapr's own. */
function operationOf(path: string): string {
  if (path.startsWith('/actors/')) return path.includes('/method/') ? 'CallActor' : 'DeactivateActor';
  return path.split('?', 1)[0] ?? path;
}

/** @returns what counts each call of an app that speaks gRPC */
export function countCallbacks({ grpcClient }: SidecarMetrics): CallbackObserver {
  return ({ method, code, sentBytes, receivedBytes, ms }) => {
    const labels = [method, grpcStatusName(code)];
    grpcClient.completed.of(...labels).value += 1;
    grpcClient.latency.of(...labels).observe(ms);
    grpcClient.sentBytes.of(method).observe(sentBytes);
    grpcClient.receivedBytes.of(method).observe(receivedBytes);
  };
}
