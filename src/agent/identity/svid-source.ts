import { messageOf, UsageError } from '../../errors.js';
import { backoff, deferred, sleep } from '../../lib/async.js';
import type { Logger } from '../../telemetry/logger.js';
import { createKeyAndCsr } from './csr.js';

/** The workload's identity as Envoy needs it. */
export interface WorkloadIdentity {
  readonly chainPem: string;
  /** Secret. */
  readonly privateKeyPem: string;
  readonly trustDomain: string;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

/** What the svid source asks of the certificate authority's client. */
export interface SigningClient {
  /** @param deadlineMs milliseconds after which an answer is of no use @throws Error then */
  sign(
    csr: Uint8Array,
    signal: AbortSignal,
    deadlineMs: number,
  ): Promise<{ chainPem: string; trustDomain: string; notBeforeMs: number; notAfterMs: number }>;
  /** Yields the roots to trust (PEM) now and at every change; ends when the stream breaks. */
  watchTrust(signal: AbortSignal): AsyncIterable<string>;
}

/** How the certificate authority answered so far. */
export interface SigningHistory {
  readonly issued: number;
  readonly failedFirst: number;
  readonly failedRenewals: number;
  /** Of the certificate in use; 0: there is none yet. */
  readonly notAfterMs: number;
}

export interface SvidSource {
  /** Resolves with the first identity and roots. Rejects with a UsageError when a first identity is refused for good. */
  readonly ready: Promise<void>;
  identity(): WorkloadIdentity | undefined;
  roots(): string | undefined;
  history(): SigningHistory;
  /** Calls back after every rotation and every change of roots. @returns stop listening */
  onChange(listener: () => void): () => void;
  close(): void;
}

/** Renew when this share of the lifetime is over: early enough to survive a dead control plane for the rest. */
const RENEW_AT = 0.7;

const LONGEST_TRY_MS = 10_000;
/** A busy machine needs it for a call that nothing is wrong with. */
const SHORTEST_TRY_MS = 2000;

/** Keeps one identity fresh until closed. A failing renewal is retried with backoff while the old certificate still serves. */
export function startSvidSource(client: SigningClient, logger: Logger, now: () => number = Date.now): SvidSource {
  const stop = new AbortController();
  const listeners = new Set<() => void>();
  let identity: WorkloadIdentity | undefined;
  let roots: string | undefined;
  const counts = { issued: 0, failedFirst: 0, failedRenewals: 0 };
  const ready = deferred<void>();
  ready.promise.catch(() => {});
  const changed = () => {
    if (identity && roots) ready.resolve();
    for (const listener of listeners) listener();
  };

  const renewOnce = async () => {
    const { privateKeyPem, csr } = await createKeyAndCsr();
    const signed = await client.sign(csr, stop.signal, tryMs(identity, now()));
    identity = { ...signed, privateKeyPem };
    counts.issued += 1;
    logger.info('got a certificate', { not_after: new Date(signed.notAfterMs).toISOString() });
    changed();
  };
  const renew = async () => {
    const wait = backoff({ initialMs: 200, maxMs: 5_000 });
    while (!stop.signal.aborted) {
      try {
        await renewOnce();
        wait.reset();
        await sleepUntil(now() + untilRenewal(identity as WorkloadIdentity, now()), now, stop.signal);
      } catch (error) {
        if (stop.signal.aborted) return;
        counts[identity ? 'failedRenewals' : 'failedFirst'] += 1;
        if (!identity && error instanceof UsageError) return ready.reject(error);
        logger.warn('no certificate from the control plane, trying again', {
          reason: messageOf(error),
          valid_until: identity && new Date(identity.notAfterMs).toISOString(),
        });
        await sleep(100 + Math.min(wait.next(), tryMs(identity, now()) / 2), stop.signal);
      }
    }
  };
  const watch = async () => {
    const wait = backoff({ initialMs: 200, maxMs: 5_000 });
    while (!stop.signal.aborted) {
      try {
        for await (const pem of client.watchTrust(stop.signal)) {
          wait.reset();
          if (pem === roots) continue;
          roots = pem;
          changed();
        }
      } catch (error) {
        logger.debug('the trust stream broke, opening it again', { reason: messageOf(error) });
      }
      await sleep(100 + wait.next(), stop.signal);
    }
  };
  void renew();
  void watch();

  return {
    ready: ready.promise,
    identity: () => identity,
    roots: () => roots,
    history: () => ({ ...counts, notAfterMs: identity?.notAfterMs ?? 0 }),
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    close() {
      stop.abort();
      listeners.clear();
    },
  };
}

/**
 * @returns how long one try may take, milliseconds. While a certificate still serves, a quarter of what is left of it: a control plane that
 * takes the call and never answers must not cost the others.
 */
export function tryMs(identity: { readonly notAfterMs: number } | undefined, nowMs: number): number {
  const left = identity ? identity.notAfterMs - nowMs : 0;
  return left > 0 ? Math.min(Math.max(left / 4, SHORTEST_TRY_MS), LONGEST_TRY_MS) : LONGEST_TRY_MS;
}

/** Looks at the clock again every minute: while a machine sleeps, timers stand still and certificates do not. */
async function sleepUntil(atMs: number, now: () => number, signal: AbortSignal): Promise<void> {
  while (!signal.aborted && now() < atMs) await sleep(Math.min(atMs - now(), 60_000), signal);
}

/** @returns milliseconds from `nowMs` until 70 % of the lifetime is over, jittered by 5 % so that a fleet does not renew at once */
export function untilRenewal(identity: { readonly notBeforeMs: number; readonly notAfterMs: number }, nowMs: number): number {
  const remaining = identity.notAfterMs - nowMs;
  const jitter = 1 - Math.random() * 0.05;
  return Math.max(remaining * RENEW_AT * jitter, 100);
}
