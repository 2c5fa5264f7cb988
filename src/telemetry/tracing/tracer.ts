import type { TraceContext } from './context.js';

export type SpanKind = 'internal' | 'server' | 'client' | 'producer' | 'consumer';

export interface SpanStart {
  /** As Dapr names spans (reference §8). */
  readonly name: string;
  readonly kind: SpanKind;
  /** Without a traceparent the span starts a trace. */
  readonly parent: TraceContext;
}

/** A span that is recorded. */
export interface RecordedSpan {
  /** What goes to whoever is called within it. */
  readonly trace: TraceContext & { readonly traceparent: string };
  set(attributes: Readonly<Record<string, string | undefined>>): void;
  /** Ends it; with `problem` as failed. */
  end(problem?: string): void;
}

/** Makes spans of the filter service's own work. */
export interface Tracer {
  /** @returns undefined when this one is not recorded: the caller's decision, or the sampling rate where a trace starts */
  start(span: SpanStart): RecordedSpan | undefined;
}

/** @returns the tracer as it is now; undefined: nothing is traced. Asked each time, since tracing comes and goes with the Configuration */
export type CurrentTracer = () => Tracer | undefined;
