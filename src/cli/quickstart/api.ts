import { isDeepStrictEqual } from 'node:util';
import { sleep } from '../../lib/async.js';
import { callSidecar, type SidecarAnswer } from '../sidecar-call.js';

/** Both apps as the steps reach them: through their sidecars' public API and by no other way. */
export interface QuickstartApi {
  /** Calls a method of `checkout`; its JSON answer. */
  checkout<T>(method: string, body: unknown): Promise<T>;
  /** Calls a method of `orders`; its JSON answer. */
  orders<T>(verb: 'GET' | 'POST', path: string, body?: unknown): Promise<T>;
  /** Calls the API of a sidecar. */
  sidecar(app: 'orders' | 'checkout', verb: string, path: string): Promise<SidecarAnswer>;
}

export function createQuickstartApi(ports: Readonly<Record<'orders' | 'checkout', number>>): QuickstartApi {
  const call = async <T>(app: 'orders' | 'checkout', verb: string, path: string, body?: unknown): Promise<T> => {
    const { status, text } = await callSidecar({
      httpPort: ports[app],
      path: `/v1.0/invoke/${app}/method/${path}`,
      verb,
      body: body === undefined ? undefined : JSON.stringify(body),
      headers: { 'content-type': 'application/json' },
    });
    const value = parse(text);
    const problem = (value as { error?: unknown } | undefined)?.error;
    if (status !== 200 || problem !== undefined)
      throw new StepFailure(`${app} answered ${status} on ${path}: ${problem ?? text}`);
    return value as T;
  };
  return {
    checkout: (method, body) => call('checkout', 'POST', method, body),
    orders: (verb, path, body) => call('orders', verb, path, body),
    sidecar: (app, verb, path) => callSidecar({ httpPort: ports[app], path, verb }),
  };
}

export function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** A step that did not show what it had to show. */
export class StepFailure extends Error {
  override readonly name = 'StepFailure';
}

/** @throws StepFailure unless both are the same value */
export function expectSame(what: string, actual: unknown, expected: unknown): void {
  if (!isDeepStrictEqual(actual, expected))
    throw new StepFailure(`${what}: expected ${JSON.stringify(expected)}, got ${JSON.stringify(actual)}`);
}

/** Asks again until `probe` gives something. @throws StepFailure with `what` after `ms` milliseconds */
export async function eventually<T>(what: string, ms: number, probe: () => Promise<T | undefined>): Promise<T> {
  const deadline = performance.now() + ms;
  for (;;) {
    const value = await probe();
    if (value !== undefined) return value;
    if (performance.now() > deadline) throw new StepFailure(`${what}: not seen within ${ms / 1000} s`);
    await sleep(50);
  }
}
