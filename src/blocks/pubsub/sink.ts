import type { TraceContext } from '../../telemetry/tracing/context.js';
import type { ReplyCode } from '../resiliency/policy.js';
import type { Envelope } from './envelope.js';

/**
 * What the app made of an event (reference §2.4). `ignore`: the app does not take events at all, so it is done without dead letter.
 * `unreachable`: the app was not there to say anything, which is no verdict on the event. `reason` is for the log.
 */
export type Outcome =
  | { readonly kind: 'success' }
  | {
      readonly kind: 'ignore' | 'drop' | 'retry' | 'unreachable';
      readonly reason: string;
      /** What the app replied when it failed, as far as it did. */
      readonly reply?: ReplyCode;
    };

export const SUCCESS: Outcome = { kind: 'success' };

/** One event on its way to the app. */
export interface AppEvent {
  readonly envelope: Envelope;
  readonly pubsubName: string;
  /** As published, without the namespace prefix. */
  readonly topic: string;
  /** The route that the rules chose. */
  readonly path: string;
  readonly metadata: Readonly<Record<string, string>>;
  /** What the app continues, when its delivery is recorded. Default: the publisher's, from the envelope. */
  readonly trace?: TraceContext;
}

export interface BulkEntry {
  readonly entryId: string;
  readonly event: AppEvent;
  /** True: the message had no envelope; its payload goes to the app as it is. */
  readonly raw: boolean;
  /** The message's own bytes. */
  readonly data: Buffer;
  readonly contentType: string;
}

/** How events reach the app: over HTTP, gRPC, or a client's stream. A thrown error is a retry. */
export interface EventSink {
  deliver(event: AppEvent, signal: AbortSignal): Promise<Outcome>;
  /** One outcome for each entry, in order. All entries have the same topic and path. Absent: no bulk. */
  deliverBulk?(entries: readonly BulkEntry[], signal: AbortSignal): Promise<readonly Outcome[]>;
}
