import { messageOf } from '../../errors.js';
import { backoff, sleep } from '../../lib/async.js';
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
  sign(
    csr: Uint8Array,
    signal: AbortSignal,
  ): Promise<{ chainPem: string; trustDomain: string; notBeforeMs: number; notAfterMs: number }>;
  /** Yields the roots to trust (PEM) now and at every change; ends when the stream breaks. */
  watchTrust(signal: AbortSignal): AsyncIterable<string>;
}

export interface SvidSource {
  /** Resolves with the first identity and roots. */
  readonly ready: Promise<void>;
  identity(): WorkloadIdentity | undefined;
  roots(): string | undefined;
  /** Calls back after every rotation and every change of roots. @returns stop listening */
  onChange(listener: () => void): () => void;
  close(): void;
}

/** Renew when this share of the lifetime is over: early enough to survive a dead control plane for the rest. */
const RENEW_AT = 0.7;
const MAX_TIMER_MS = 2 ** 31 - 1;

/** Keeps one identity fresh until closed. A failing renewal is retried with backoff while the old certificate still serves. */
export function startSvidSource(client: SigningClient, logger: Logger, now: () => number = Date.now): SvidSource {
  const stop = new AbortController();
  const listeners = new Set<() => void>();
  let identity: WorkloadIdentity | undefined;
  let roots: string | undefined;
  let becomeReady: () => void = () => {};
  const ready = new Promise<void>((resolve) => {
    becomeReady = resolve;
  });
  const changed = () => {
    if (identity && roots) becomeReady();
    for (const listener of listeners) listener();
  };

  const renewOnce = async () => {
    const { privateKeyPem, csr } = await createKeyAndCsr();
    const signed = await client.sign(csr, stop.signal);
    identity = { ...signed, privateKeyPem };
    logger.info('got a certificate', { not_after: new Date(signed.notAfterMs).toISOString() });
    changed();
  };
  const renew = async () => {
    const wait = backoff({ initialMs: 200, maxMs: 5_000 });
    while (!stop.signal.aborted) {
      try {
        await renewOnce();
        wait.reset();
        await sleep(untilRenewal(identity as WorkloadIdentity, now()), stop.signal);
      } catch (error) {
        if (stop.signal.aborted) return;
        logger.warn('no certificate from the control plane, trying again', {
          reason: messageOf(error),
          valid_until: identity && new Date(identity.notAfterMs).toISOString(),
        });
        await sleep(100 + wait.next(), stop.signal);
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
    ready,
    identity: () => identity,
    roots: () => roots,
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

/** @returns milliseconds from `nowMs` until 70 % of the lifetime is over, jittered by 5 % so that a fleet does not renew at once */
export function untilRenewal(identity: { readonly notBeforeMs: number; readonly notAfterMs: number }, nowMs: number): number {
  const remaining = identity.notAfterMs - nowMs;
  const jitter = 1 - Math.random() * 0.05;
  return Math.min(Math.max(remaining * RENEW_AT * jitter, 100), MAX_TIMER_MS);
}
