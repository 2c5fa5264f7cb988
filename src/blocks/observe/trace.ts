import { messageOf } from '../../errors.js';
import { httpTrace, type TraceContext } from '../../telemetry/tracing/context.js';
import type { CurrentTracer, RecordedSpan } from '../../telemetry/tracing/tracer.js';
import type { ActorRuntime } from '../actors/runtime.js';
import type { Publisher } from '../pubsub/publisher.js';
import type { AppEvent, BulkEntry, EventSink, Outcome } from '../pubsub/sink.js';

/** One decorator a block: the rules know nothing of spans, and hand on the trace that they are given. */

/** @returns `publisher`; each entry of a bulk publish has a span of its own, as in Dapr (reference §8). A single publish has its request's */
export function tracePublisher(publisher: Publisher, current: CurrentTracer): Publisher {
  return {
    ...publisher,
    async bulkPublish(call) {
      const tracer = current();
      if (!tracer) return publisher.bulkPublish(call);
      const spans: RecordedSpan[] = [];
      const entries = call.entries.map((entry) => {
        const span = tracer.start({ name: `pubsub/${call.topic}`, kind: 'producer', parent: call.trace });
        if (!span) return entry;
        span.set({ ...messaging(call), 'messaging.message.id': entry.entryId });
        spans.push(span);
        return { ...entry, trace: span.trace };
      });
      return ended(spans, publisher.bulkPublish({ ...call, entries }), () => undefined);
    },
  };
}

/** @returns `sink`; each delivery continues the publisher's trace, and the app continues the delivery's */
export function traceSink(sink: EventSink, current: CurrentTracer): EventSink {
  const traced: EventSink = {
    async deliver(event, signal) {
      const span = current()?.start({ name: `pubsub/${event.topic}`, kind: 'consumer', parent: traceOf(event) });
      if (!span) return sink.deliver(event, signal);
      span.set(messaging(event));
      return ended([span], sink.deliver({ ...event, trace: span.trace }, signal), problemOf);
    },
  };
  const bulk = sink.deliverBulk?.bind(sink);
  if (!bulk) return traced;
  return {
    ...traced,
    async deliverBulk(entries, signal) {
      const tracer = current();
      if (!tracer) return bulk(entries, signal);
      const spans: RecordedSpan[] = [];
      const known = entries.map((entry): BulkEntry => {
        const { event } = entry;
        const span = tracer.start({ name: `pubsub/${event.topic}`, kind: 'consumer', parent: traceOf(event) });
        if (!span) return entry;
        span.set(messaging(event));
        spans.push(span);
        return { ...entry, event: { ...event, trace: span.trace } };
      });
      return ended(spans, bulk(known, signal), (outcomes) => outcomes.map(problemOf).find((problem) => problem !== undefined));
    },
  };
}

/** @returns `runtime`; each turn, with its wait, is a span of its caller's trace */
export function traceTurns(runtime: ActorRuntime, current: CurrentTracer): ActorRuntime {
  return {
    ...runtime,
    get hostedTypes() {
      return runtime.hostedTypes;
    },
    async execute(call) {
      const tracer = runtime.hostedTypes.includes(call.type) ? current() : undefined;
      const { type, id, method, headers } = call;
      const span = tracer?.start({ name: `CallActor/${type}/${method}`, kind: 'internal', parent: httpTrace(headers) });
      if (!span) return runtime.execute(call);
      span.set({ 'dapr.actor': `${type}.${id}`, 'dapr.invoke_method': method });
      return ended([span], runtime.execute({ ...call, headers: { ...headers, ...span.trace } }), () => undefined);
    },
  };
}

const messaging = ({ pubsubName, topic }: { readonly pubsubName: string; readonly topic: string }) => ({
  'messaging.system': 'pubsub',
  'messaging.destination.name': topic,
  'dapr.pubsub': pubsubName,
});

function traceOf({ envelope }: AppEvent): TraceContext {
  return httpTrace({
    traceparent: envelope.text('traceparent') ?? envelope.text('traceid'),
    tracestate: envelope.text('tracestate'),
  });
}

const problemOf = (outcome: Outcome): string | undefined => ('reason' in outcome ? outcome.reason : undefined);

async function ended<T>(
  spans: readonly RecordedSpan[],
  work: Promise<T>,
  problem: (result: T) => string | undefined,
): Promise<T> {
  try {
    const result = await work;
    for (const span of spans) span.end(problem(result));
    return result;
  } catch (error) {
    for (const span of spans) span.end(messageOf(error));
    throw error;
  }
}
