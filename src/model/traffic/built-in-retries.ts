import type { z } from 'zod';
import type { resiliencySpec } from '../resources/kinds/resiliency.js';
import type { RetryRule } from './route.js';

/** Dapr's built-in retries (reference §4.4), which a policy of their name replaces: of calls that did not reach their target. */

type Policies = NonNullable<z.infer<typeof resiliencySpec>['policies']>;

/** How often and when; what is tried again is not a matter of the policy. */
export type RetryTimes = Pick<RetryRule, 'retries' | 'waitMs' | 'maxWaitMs'>;

export interface BuiltInRetries {
  /** Of calls by name. Undefined: nobody says otherwise. */
  readonly service?: RetryTimes;
  /** Of calls of actors, beside the search for their owner. */
  readonly actor?: RetryTimes;
}

const SERVICE = 'DaprBuiltInServiceRetries';
const ACTOR = 'DaprBuiltInActorRetries';
/** As in Dapr: with fewer, calls would fail that an ordinary restart of an app touches. */
const LEAST = 3;

/** @param rule reads one policy */
export function builtInRetries(
  { retries }: Policies,
  rule: (retry: NonNullable<Policies['retries']>[string]) => RetryRule,
): BuiltInRetries {
  const of = (name: string): RetryTimes | undefined => {
    const policy = retries?.[name];
    if (!policy) return undefined;
    const { waitMs, maxWaitMs } = rule(policy);
    return { retries: Math.max(LEAST, policy.maxRetries ?? LEAST), waitMs, maxWaitMs };
  };
  const [service, actor] = [of(SERVICE), of(ACTOR)];
  return { ...(service ? { service } : {}), ...(actor ? { actor } : {}) };
}

const WITHOUT_EFFECT: Readonly<Record<string, string>> = {
  DaprBuiltInActorNotFoundRetries: 'cannot be overridden, as in Dapr',
  DaprBuiltInActorReminderRetries: 'has no effect: there are no reminders',
  DaprBuiltInInitializationRetries: 'has no effect: an app is asked for its subscriptions until it answers',
};

/** @returns what of a document's built-in retries is not in force, one line each */
export function builtInNotes(policies: Policies | undefined): readonly string[] {
  return Object.entries(policies?.retries ?? {})
    .filter(([name]) => name.startsWith('DaprBuiltIn'))
    .flatMap(([name, policy]) => problemsOf(name, policy).map((problem) => `policies.retries.${name}: ${problem}`));
}

function problemsOf(name: string, { maxRetries, matching }: NonNullable<Policies['retries']>[string]): readonly string[] {
  if (name !== SERVICE && name !== ACTOR) return [WITHOUT_EFFECT[name] ?? 'is none of the built-in retries; rename it'];
  return [
    ...(maxRetries !== undefined && maxRetries < LEAST ? [`makes ${LEAST} retries, the least there can be, as in Dapr`] : []),
    ...(matching ? ['matching means nothing: only calls that did not reach their target are tried again'] : []),
  ];
}
