import { request } from 'node:http';
import { deferred, sleep } from '../lib/async.js';
import { accepts } from './app-wait.js';
import type { EnvoyAdmin } from './envoy/admin.js';

/** What must hold before the sidecar is ready; the app comes last, and calls out work without it. */
export type Condition = 'envoy' | 'configuration' | 'app';

export interface Health {
  /** Undefined: ready. Else what is missing, one line. */
  notReady(): string | undefined;
  /** As `notReady`, but does not ask for the app. */
  outboundNotReady(): string | undefined;
  /** @param missing undefined: the condition holds */
  set(condition: Condition, missing: string | undefined): void;
  /** Resolves the first time that everything holds. */
  readonly ready: Promise<void>;
}

/** @returns a health of which nothing holds yet */
export function createHealth(): Health {
  const missing = new Map<Condition, string>([
    ['envoy', 'Envoy has not started yet'],
    ['configuration', 'the control plane has not sent the configuration yet'],
    ['app', 'the app is not reachable yet'],
  ]);
  const ready = deferred<void>();
  const outboundNotReady = () => missing.get('envoy') ?? missing.get('configuration');
  const notReady = () => outboundNotReady() ?? missing.get('app');
  return {
    notReady,
    outboundNotReady,
    set(condition, reason) {
      if (reason === undefined) missing.delete(condition);
      else missing.set(condition, reason);
      if (notReady() === undefined) ready.resolve();
    },
    ready: ready.promise,
  };
}

export interface ListenerProbe {
  readonly admin: EnvoyAdmin;
  readonly loopback: string;
  /** TCP listeners of Envoy. */
  readonly addresses: readonly { readonly host: string; readonly port: number }[];
}

const POLL_MS = 15;
const ANSWER_MS = 1000;

/**
 * Waits until Envoy serves: an acknowledged listener is not one that accepts, so every one is tried, and one request goes all the
 * way through Envoy to the filter service.
 */
export async function untilEnvoyServes(probe: ListenerProbe, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    if ((await answers(probe.loopback)) && (await allAccept(probe)) && (await probe.admin.isLive())) return;
    await sleep(POLL_MS, signal);
  }
}

async function allAccept({ addresses }: ListenerProbe): Promise<boolean> {
  const all = await Promise.all(addresses.map(({ host, port }) => accepts(host, port)));
  return all.every(Boolean);
}

/** The filter service answers 204, or 500 while other things are missing; 503 would be Envoy's own, for want of it. */
function answers(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const outgoing = request(
      { socketPath, path: '/v1.0/healthz/outbound', agent: false, timeout: ANSWER_MS, headers: { host: 'localhost' } },
      (response) => {
        response.resume();
        resolve(response.statusCode === 204 || response.statusCode === 500);
      },
    );
    outgoing.on('timeout', () => outgoing.destroy());
    outgoing.on('error', () => resolve(false));
    outgoing.end();
  });
}
