import { messageOf } from '../../errors.js';
import { isTruthy } from '../../lib/duration.js';
import type { Logger } from '../../telemetry/logger.js';
import type { Policy } from '../resiliency/policy.js';
import { wrapRawMessage } from './cloudevent.js';
import type { Message, MessageHandler } from './contract.js';
import { isExpired, readEnvelope } from './envelope.js';
import { attemptUnder } from './policy.js';
import type { Router } from './routing.js';
import type { AppEvent, EventSink, Outcome } from './sink.js';
import type { TopicSubscription } from './subscription.js';

export interface DeliveryDeps {
  readonly sink: EventSink;
  /** Publishes a message as it is. Rejects when the broker refuses it. */
  readonly publish: (topic: string, message: Message) => Promise<void>;
  /** The component's inbound resiliency policy as it is now; undefined: one attempt. */
  readonly policy?: () => Policy | undefined;
  /** True from the moment that the subscription is asked to stop. */
  readonly stopping: () => boolean;
  readonly logger: Logger;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/** What is known of a message before the app sees it: it goes to a route, or it is done with. */
export type Prepared =
  | { readonly kind: 'event'; readonly event: AppEvent; readonly raw: boolean }
  | { readonly kind: 'done'; readonly outcome: Outcome };

/** @returns the envelope and the route of a message, or why it never gets to the app */
export function prepareMessage(subscription: TopicSubscription, router: Router, message: Message, nowMs: number): Prepared {
  const { pubsubName, topic } = subscription;
  const raw = isTruthy(metadataValue(subscription.metadata, 'rawpayload'));
  const envelope = readEnvelope(raw ? wrapRawMessage(message, topic, pubsubName) : message.data);
  if (!envelope) return { kind: 'done', outcome: { kind: 'retry', reason: notAnEnvelope(message) } };
  if (isExpired(envelope, nowMs)) return { kind: 'done', outcome: { kind: 'drop', reason: 'the event has expired' } };
  const path = router.route(() => envelope.parsed());
  if (path === undefined) return { kind: 'done', outcome: { kind: 'drop', reason: 'no route matches the event' } };
  return { kind: 'event', raw, event: { envelope, pubsubName, topic, path, metadata: message.metadata } };
}

/** The broker may be shared, and what others publish there need not be an event. Of the content only its size is told. */
const notAnEnvelope = ({ data, contentType = 'no content type' }: Message): string =>
  `the message is not a CloudEvent in JSON (${data.length} bytes, ${contentType}); if its publisher sends none, give the subscription the metadata rawPayload: "true"`;

/** @returns the value of a metadata name whatever its case; `name` in lower case */
export function metadataValue(metadata: Readonly<Record<string, string>>, name: string): string | undefined {
  for (const key in metadata) if (key.toLowerCase() === name) return metadata[key];
  return undefined;
}

/** @returns the handler that takes one message at a time to the app and settles it by the outcome table (reference §2.4) */
export function createDelivery(subscription: TopicSubscription, router: Router, deps: DeliveryDeps): MessageHandler {
  const settle = createSettle(subscription, deps);
  return async (message, signal) => {
    const prepared = prepareMessage(subscription, router, message, deps.now());
    if (prepared.kind === 'done') return settle(message, prepared.outcome, signal);
    const policy = deps.policy?.();
    const outcome = policy
      ? await attemptUnder(policy, signal, (trySignal) => attempt(deps.sink, prepared.event, message, trySignal))
      : await attempt(deps.sink, prepared.event, message, signal);
    // The common case pays for nothing more.
    if (outcome.kind !== 'success') await settle(message, outcome, signal);
  };
}

async function attempt(sink: EventSink, event: AppEvent, message: Message, signal: AbortSignal): Promise<Outcome> {
  try {
    return await sink.deliver(event, signal);
  } catch (error) {
    return failureOf(error, message);
  }
}

/** Nobody listens: the app is starting, stopping or gone. */
const REFUSED = new Set(['ECONNREFUSED', 'ENOENT', 'EHOSTUNREACH', 'UND_ERR_CONNECT_TIMEOUT']);
/** The app went away in the middle, 14 is gRPC's UNAVAILABLE: it may have been stopped, or the event may have killed it. */
const BROKEN = new Set<unknown>(['ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET', 14]);
const BROKEN_LIMIT = 3;

/** @returns the outcome of an attempt that got no reply; an event by which the app dies time and again is its own fault */
export function failureOf(error: unknown, { attempt = 1 }: Message): Outcome {
  const code = (error as { code?: unknown } | null)?.code;
  const absent = REFUSED.has(code as string) || (BROKEN.has(code) && attempt < BROKEN_LIMIT);
  const reply = typeof code === 'number' ? { reply: { protocol: 'grpc', code } as const } : {};
  return { kind: absent ? 'unreachable' : 'retry', reason: messageOf(error), ...reply };
}

/** Publishing to the dead-letter topic gets its own time: what the app left of the message's is no measure. */
const DEAD_LETTER_TIMEOUT_MS = 30_000;

/** Resolves: the message is done. Rejects: the broker keeps it. */
export type Settle = (message: Message, outcome: Outcome, signal: AbortSignal) => Promise<void>;

/** @returns what ends a message's delivery: ack, dead letter, or back to the broker */
export function createSettle(subscription: TopicSubscription, { publish, stopping, logger }: DeliveryDeps): Settle {
  const { pubsubName, topic, deadLetterTopic } = subscription;
  return async (message, outcome, signal) => {
    if (outcome.kind === 'success') return;
    const fields = { pubsub: pubsubName, topic, reason: outcome.reason };
    // A stop, or an app that is not there, is no verdict: the message goes back to the broker whole, never to the dead-letter topic.
    const noVerdict = outcome.kind === 'unreachable' || (outcome.kind === 'retry' && (stopping() || signal.aborted));
    if (noVerdict || (outcome.kind === 'retry' && deadLetterTopic === '')) {
      logger.warn('event not delivered, it will come again', fields);
      throw new Error(outcome.reason);
    }
    if (outcome.kind === 'ignore' || deadLetterTopic === '') {
      logger.warn('event dropped', fields);
      return;
    }
    await inTime(publish(deadLetterTopic, message));
    logger.warn('event sent to the dead-letter topic', { ...fields, deadLetterTopic });
  };
}

function inTime(published: Promise<void>): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new Error(`the dead-letter topic took more than ${DEAD_LETTER_TIMEOUT_MS} ms`)),
      DEAD_LETTER_TIMEOUT_MS,
    );
    published.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
