import { messageOf } from '../../errors.js';
import { BreakerOpenError } from '../resiliency/breaker.js';
import type { Policy, ReplyCode } from '../resiliency/policy.js';
import type { Outcome } from './sink.js';

/** A policy knows failures only as what is thrown. */
class Failed extends Error {
  constructor(readonly outcomes: readonly Outcome[]) {
    super('the app did not take the event');
  }
}

const hasFailed = ({ kind }: Outcome): boolean => kind === 'retry' || kind === 'unreachable';

/** What the app replied to the first event that it did not take. */
function replyOf(error: unknown): ReplyCode | undefined {
  const [outcome] = error instanceof Failed ? error.outcomes : [];
  return outcome && outcome.kind !== 'success' ? outcome.reply : undefined;
}

/** Gives one event to the app under the inbound policy. @returns what became of the last attempt. Never rejects */
export async function attemptUnder(
  policy: Policy,
  signal: AbortSignal,
  attempt: (signal: AbortSignal) => Promise<Outcome>,
): Promise<Outcome> {
  const [outcome] = await attemptAllUnder(policy, signal, [undefined], async (_, trySignal) => [await attempt(trySignal)]);
  return outcome as Outcome;
}

/** As {@link attemptUnder} for a bulk: what the app has taken is not given to it again. @returns one outcome an item, in order */
export async function attemptAllUnder<T>(
  policy: Policy,
  signal: AbortSignal,
  items: readonly T[],
  attempt: (items: readonly T[], signal: AbortSignal) => Promise<readonly Outcome[]>,
): Promise<readonly Outcome[]> {
  const settled: Outcome[] = [];
  let open = items.map((_, index) => index);
  let tries = 0;
  const run = async (trySignal: AbortSignal | undefined) => {
    tries += 1;
    const own = tries;
    const outcomes = await attempt(
      open.map((index) => items[index] as T),
      trySignal ?? signal,
    );
    // A try that timed out may still answer, beside the next one.
    if (own !== tries) return;
    open.forEach((index, at) => {
      settled[index] = outcomes[at] ?? { kind: 'retry', reason: 'no outcome for the entry' };
    });
    open = open.filter((index) => hasFailed(settled[index] as Outcome));
    if (open.length > 0) throw new Failed(open.map((index) => settled[index] as Outcome));
  };
  try {
    await policy.run(run, { signal, replyOf });
  } catch (error) {
    tries += 1;
    const outcome = outcomeOf(error);
    if (outcome) for (const index of open) settled[index] = outcome;
  }
  return settled;
}

/** An open breaker says nothing about the event, which must not end in the dead-letter topic for it. */
function outcomeOf(error: unknown): Outcome | undefined {
  if (error instanceof Failed) return undefined;
  return { kind: error instanceof BreakerOpenError ? 'unreachable' : 'retry', reason: messageOf(error) };
}
