import { connect } from 'node:net';
import { sleep } from '../lib/async.js';
import type { Logger } from '../telemetry/logger.js';

export interface AppWaitOptions {
  readonly host: string;
  readonly port: number;
  readonly logger: Logger;
  readonly signal: AbortSignal;
  /** Default 50. */
  readonly pollMs?: number;
  /** Milliseconds between two messages. Default 5,000. */
  readonly tellEveryMs?: number;
}

const CONNECT_MS = 1000;

/** Waits until something accepts connections on the app's port, without end, and says every few seconds what for. */
export async function waitForApp({ host, port, logger, signal, pollMs = 50, tellEveryMs = 5000 }: AppWaitOptions): Promise<void> {
  let toldAt = performance.now() - tellEveryMs + Math.min(tellEveryMs, 1000);
  while (!signal.aborted && !(await accepts(host, port))) {
    if (performance.now() - toldAt >= tellEveryMs) {
      logger.info(`waiting for the app: nothing accepts connections on ${host}:${port} yet (--app-port)`);
      toldAt = performance.now();
    }
    await sleep(pollMs, signal);
  }
}

/** @returns whether a TCP connection to `host:port` can be made within a second */
export function accepts(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: CONNECT_MS });
    const settle = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('connect', () => settle(true));
    socket.once('error', () => settle(false));
    socket.once('timeout', () => settle(false));
  });
}
