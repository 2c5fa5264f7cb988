import type { z } from 'zod';
import { parseGoDuration } from '../../lib/duration.js';
import { resiliencySpec } from '../resources/kinds/resiliency.js';
import { type BuiltInRetries, builtInRetries, type RetryTimes } from './built-in-retries.js';
import type { Policy } from './document.js';
import type { CodeRange, RetryRule } from './route.js';
import { consecutiveFailuresOf, DEFAULT_TRIP, type FailureShare, failureShareOf } from './trip.js';

/** Dapr's Resiliency for calls between apps and of actors (reference §4.4): which named policies are in force for a target. */

/** When an instance gets no more calls. */
export interface CircuitBreakerRule {
  /** After so many failures in a row … */
  readonly failures?: number;
  /** … or when this share of the calls of an interval has failed. */
  readonly share?: FailureShare & { readonly intervalMs: number };
  /** For how long, milliseconds. */
  readonly openMs: number;
}

export interface TargetResiliency {
  /** Of one try, milliseconds; 0: no limit. */
  readonly timeoutMs: number;
  /** Undefined: only what never reached the target is tried again. */
  readonly retry?: RetryRule | undefined;
  /** Of what never reached the target, when that is said by itself; `retry` counts before it. */
  readonly notSent?: RetryTimes | undefined;
  readonly breaker?: CircuitBreakerRule | undefined;
}

export interface ResiliencyRules {
  /** Undefined: nothing is said about the app. `<app>.<namespace>` as a target is meant before `<app>`. */
  app(target: { readonly namespace: string; readonly appId: string }): TargetResiliency | undefined;
  actor(type: string): TargetResiliency | undefined;
  readonly builtIn: BuiltInRetries;
}

type Spec = z.infer<typeof resiliencySpec>;
export type Policies = NonNullable<Spec['policies']>;
export type Targets = NonNullable<Spec['targets']>;
export type PolicyNames = {
  readonly timeout?: string | undefined;
  readonly retry?: string | undefined;
  readonly circuitBreaker?: string | undefined;
};

/** @param documents Resiliency policies; of two with one entry the later one counts, as in Dapr */
export function resiliencyRules(documents: readonly Policy[]): ResiliencyRules {
  const { policies, targets } = mergedSpec(documents);
  const builtIn = builtInRetries(policies, retryRule);
  const resolve = (named: PolicyNames | undefined, kind: 'App' | 'Actor') => {
    const names = named ?? defaultNames(policies, kind);
    // The breaker of actors is their owner's (actor-resiliency.ts).
    return names && resolveNames(policies, kind === 'App' ? names : { ...names, circuitBreaker: undefined });
  };
  return {
    app: ({ namespace, appId }) => resolve(targets.apps?.[`${appId}.${namespace}`] ?? targets.apps?.[appId], 'App'),
    actor: (type) => {
      const own = resolve(targets.actors?.[type], 'Actor');
      return builtIn.actor ? { timeoutMs: 0, ...own, notSent: builtIn.actor } : own;
    },
    builtIn,
  };
}

/** @returns all documents as one; of two entries with one name the later one counts */
export function mergedSpec(documents: readonly Policy[]): { readonly policies: Policies; readonly targets: Targets } {
  const specs = documents.map(({ spec }) => resiliencySpec.parse(spec));
  return {
    policies: merged(specs.map((spec) => spec.policies ?? {})) as Policies,
    targets: merged(specs.map((spec) => spec.targets ?? {})) as Targets,
  };
}

/** Two levels deep: `policies.retries.<name>`. */
function merged(parts: readonly Readonly<Record<string, unknown>>[]): unknown {
  const all: Record<string, Record<string, unknown>> = {};
  for (const part of parts)
    for (const [group, entries] of Object.entries(part)) all[group] = { ...all[group], ...(entries as Record<string, unknown>) };
  return all;
}

/** A target that is named takes only what it names; every other one takes the defaults, the narrower one before the general one. */
function defaultNames(policies: Policies, kind: 'App' | 'Actor'): PolicyNames | undefined {
  return defaultPolicies(policies, [kind, '']);
}

/**
 * @param levels what may stand between `Default` and the policy's kind, the narrowest first
 * @returns the policies that are in force by their name alone; undefined: none
 */
export function defaultPolicies(policies: Policies, levels: readonly string[]): PolicyNames | undefined {
  const pick = (group: Readonly<Record<string, unknown>> | undefined, what: string) =>
    levels.map((level) => `Default${level}${what}Policy`).find((name) => group?.[name] !== undefined);
  const names = {
    timeout: pick(policies.timeouts, 'Timeout'),
    retry: pick(policies.retries, 'Retry'),
    circuitBreaker: pick(policies.circuitBreakers, 'CircuitBreaker'),
  };
  return Object.values(names).some((name) => name !== undefined) ? names : undefined;
}

function resolveNames({ timeouts, retries, circuitBreakers }: Policies, names: PolicyNames): TargetResiliency {
  const retry = names.retry === undefined ? undefined : retries?.[names.retry];
  const breaker = names.circuitBreaker === undefined ? undefined : circuitBreakers?.[names.circuitBreaker];
  return {
    timeoutMs: Math.max(0, millis(names.timeout === undefined ? undefined : timeouts?.[names.timeout], 0)),
    retry: retry && retryRule(retry),
    breaker: breaker && breakerRule(breaker),
  };
}

export const millis = (value: string | number | undefined, otherwise: number): number =>
  value === undefined ? otherwise : Math.round(typeof value === 'number' ? value : (parseGoDuration(value) ?? otherwise));

export const CONSTANT_MS = 5000;
export const EXPONENTIAL = { firstMs: 500, maxMs: 60_000 } as const;
/** Dapr's -1, for ever: more tries than anybody waits for. */
const UNLIMITED = 0x7fff_ffff;
/** What counts as failed for an app (reference §1.3): a status above 399, a gRPC code that is not OK. */
const FAILED_STATUSES: readonly CodeRange[] = [[400, 599]];
const FAILED_GRPC: readonly CodeRange[] = [[1, 16]];

function retryRule(retry: NonNullable<Policies['retries']>[string]): RetryRule {
  const constantMs = Math.max(1, millis(retry.duration, CONSTANT_MS));
  const exponential = {
    waitMs: EXPONENTIAL.firstMs,
    maxWaitMs: Math.max(EXPONENTIAL.firstMs, millis(retry.maxInterval, EXPONENTIAL.maxMs)),
  };
  const maxRetries = retry.maxRetries ?? -1;
  return {
    retries: maxRetries < 0 ? UNLIMITED : maxRetries,
    statuses: ranges(retry.matching?.httpStatusCodes) ?? FAILED_STATUSES,
    grpcCodes: ranges(retry.matching?.gRPCStatusCodes) ?? FAILED_GRPC,
    ...(retry.policy === 'exponential' ? exponential : { waitMs: constantMs, maxWaitMs: constantMs }),
  };
}

/** @param codes `429,500-599` */
export function ranges(codes: string | undefined): readonly CodeRange[] | undefined {
  if (codes === undefined) return undefined;
  return codes
    .split(',')
    .map((part): CodeRange => {
      const [from = 0, to = from] = part.split('-').map((text) => Number(text.trim()));
      return [from, to];
    })
    .sort(([a], [b]) => a - b);
}

export const OPEN_MS = 60_000;

/** @returns undefined: Envoy cannot follow it, which `resiliencyNotes` says */
export function breakerRule(breaker: NonNullable<Policies['circuitBreakers']>[string]): CircuitBreakerRule | undefined {
  const trip = breaker.trip || DEFAULT_TRIP;
  const openMs = Math.max(1, millis(breaker.timeout, OPEN_MS));
  const failures = consecutiveFailuresOf(trip);
  if (failures !== undefined) return { failures, openMs };
  const share = failureShareOf(trip);
  const intervalMs = millis(breaker.interval, 0);
  // Without an interval the counts would never start anew, and Envoy's always do.
  return share && intervalMs > 0 ? { share: { ...share, intervalMs }, openMs } : undefined;
}
