import type { FastifyRequest } from 'fastify';
import { baggageProblem } from '../../telemetry/tracing/baggage.js';
import { httpTrace } from '../../telemetry/tracing/context.js';
import type { CurrentTracer, RecordedSpan } from '../../telemetry/tracing/tracer.js';
import type { ObserveHttp } from './observe.js';
import type { HttpRoute } from './route.js';

/**
 * @returns what makes a span of each request that is recorded, named as Dapr names it (reference §8). The request's own headers say from
 * then on that the span is the parent, so everything behind continues the trace without knowing of it.
 */
export function traceHttp(current: CurrentTracer): ObserveHttp {
  return (route, handle) => {
    if (route.group === 'healthz') return handle;
    return (request, reply) => {
      const tracer = current();
      if (!tracer) return handle(request, reply);
      const { headers, method = '' } = request.raw;
      const path = pathOf(request);
      const span = tracer.start({ name: nameOf(route, request) ?? path, kind: 'client', parent: httpTrace(headers) });
      if (!span) return handle(request, reply);
      Object.assign(headers, span.trace);
      const { raw } = reply;
      raw.setHeader('traceparent', span.trace.traceparent);
      raw.on('close', () => {
        span.set({ ...daprHeaders(request), ...blockAttributes(route, request, method, path) });
        span.set({
          'dapr.api': `${method} ${path}`,
          'dapr.protocol': 'http',
          'dapr.status_code': String(raw.statusCode),
          'http.request.method': method,
          'url.full': path,
        });
        endHttp(span, raw.statusCode);
      });
      return handle(request, reply);
    };
  };
}

/** @returns what refuses baggage that is none, and gives the client back what it sent (reference §8) */
export const echoBaggage: ObserveHttp = (_route, handle) => (request, reply) => {
  const { baggage } = request.raw.headers;
  if (baggage === undefined) return handle(request, reply);
  const text = String(baggage);
  const problem = baggageProblem(text);
  if (problem === undefined) {
    reply.raw.setHeader('baggage', text);
    return handle(request, reply);
  }
  reply.code(400).header('content-type', 'text/plain; charset=utf-8').send(`invalid baggage header: ${problem}`);
};

/** @returns `observers` as one; the first sees a request first */
export const observeAll =
  (observers: readonly ObserveHttp[]): ObserveHttp =>
  (route, handle) =>
    observers.reduceRight((inner, observe) => observe(route, inner), handle);

function endHttp(span: RecordedSpan, status: number): void {
  span.end(status >= 400 ? `Code(${status})` : undefined);
}

/** Without the query, which may hold tokens. */
const pathOf = ({ raw }: FastifyRequest): string =>
  ((raw as { originalUrl?: string }).originalUrl ?? raw.url ?? '/').split('?')[0] ?? '/';

type Params = Readonly<Record<string, string | undefined>>;
type Route = Pick<HttpRoute, 'operation' | 'group'>;

function nameOf({ operation }: Route, request: FastifyRequest): string | undefined {
  const { type, method } = request.params as Params;
  return operation === 'InvokeActor' && type && method ? `CallActor/${type}/${method}` : undefined;
}

function blockAttributes({ group }: Route, request: FastifyRequest, method: string, path: string) {
  const params = request.params as Params;
  if (group === 'state')
    return {
      'db.system': 'state',
      'db.name': params.store,
      'db.statement': `${method} ${path}`,
      'db.connection_string': 'state',
    };
  if (group === 'publish') return { 'messaging.system': 'pubsub', 'messaging.destination.name': params['*'] };
  if (group === 'actors' && params.type) return { 'dapr.actor': `${params.type}.${params.id}` };
  return {};
}

/** Clients name with this prefix what they want to see in a span. */
function daprHeaders(request: FastifyRequest): Record<string, string> {
  const found: Record<string, string> = {};
  for (const [name, value] of Object.entries(request.raw.headers))
    if (name.startsWith('dapr-') && name !== 'dapr-api-token' && typeof value === 'string') found[name] = value;
  return found;
}
