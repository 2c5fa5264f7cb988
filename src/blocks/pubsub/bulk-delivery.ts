import { randomUUID } from 'node:crypto';
import type { Policy } from '../resiliency/policy.js';
import { ENVELOPE_CONTENT_TYPE } from './cloudevent.js';
import type { Message, MessageHandler } from './contract.js';
import { createSettle, type DeliveryDeps, failureOf, prepareMessage } from './delivery.js';
import { attemptAllUnder } from './policy.js';
import type { Router } from './routing.js';
import type { BulkEntry, EventSink, Outcome } from './sink.js';
import type { BulkSettings, TopicSubscription } from './subscription.js';

type DeliverBulk = NonNullable<EventSink['deliverBulk']>;

interface Waiting {
  readonly entry: BulkEntry;
  readonly message: Message;
  readonly signal: AbortSignal;
  readonly resolve: (result: Promise<void>) => void;
}

/**
 * Gathers single messages into bulk calls: a call goes out when it is full, or when its first message has waited long enough
 * (reference §2.5). Each message is settled by its own entry's outcome.
 */
export function createBulkDelivery(
  subscription: TopicSubscription & { readonly bulk: BulkSettings },
  router: Router,
  deps: DeliveryDeps & { readonly deliverBulk: DeliverBulk },
): MessageHandler {
  const { maxMessagesCount, maxAwaitDurationMs } = subscription.bulk;
  const settle = createSettle(subscription, deps);
  let batch: Waiting[] = [];
  let timer: NodeJS.Timeout | undefined;

  const flush = () => {
    clearTimeout(timer);
    timer = undefined;
    const full = batch;
    batch = [];
    full[0]?.signal.removeEventListener('abort', flush);
    for (const group of byPath(full)) {
      const outcomes = callUnder(deps.policy?.(), group, deps.deliverBulk);
      group.forEach((waiting, index) => {
        waiting.resolve(outcomes.then((list) => settle(waiting.message, list[index] ?? NO_OUTCOME, waiting.signal)));
      });
    }
  };

  return (message, signal) => {
    const prepared = prepareMessage(subscription, router, message, deps.now());
    if (prepared.kind === 'done') return settle(message, prepared.outcome, signal);
    const { event, raw } = prepared;
    const contentType = raw ? message.contentType || 'application/octet-stream' : ENVELOPE_CONTENT_TYPE;
    const entry: BulkEntry = { entryId: randomUUID(), event, raw, data: message.data, contentType };
    return new Promise((resolve) => {
      batch.push({ entry, message, signal, resolve });
      if (batch.length >= maxMessagesCount) flush();
      else if (timer === undefined) {
        timer = setTimeout(flush, maxAwaitDurationMs);
        // A stop does not wait for more company.
        signal.addEventListener('abort', flush, { once: true });
      }
    });
  };
}

const NO_OUTCOME: Outcome = { kind: 'retry', reason: 'no outcome for the entry' };

function byPath(batch: readonly Waiting[]): Iterable<readonly Waiting[]> {
  const groups = new Map<string, Waiting[]>();
  for (const waiting of batch) {
    const { path } = waiting.entry.event;
    const group = groups.get(path);
    if (group) group.push(waiting);
    else groups.set(path, [waiting]);
  }
  return groups.values();
}

function callUnder(policy: Policy | undefined, group: readonly Waiting[], deliverBulk: DeliverBulk): Promise<readonly Outcome[]> {
  const signal = group[0]?.signal ?? AbortSignal.abort();
  return policy
    ? attemptAllUnder(policy, signal, group, (left, trySignal) => call(left, deliverBulk, trySignal))
    : call(group, deliverBulk, signal);
}

async function call(group: readonly Waiting[], deliverBulk: DeliverBulk, signal: AbortSignal): Promise<readonly Outcome[]> {
  if (signal.aborted) return [];
  try {
    return await deliverBulk(
      group.map(({ entry }) => entry),
      signal,
    );
  } catch (error) {
    return group.map(({ message }) => failureOf(error, message));
  }
}
