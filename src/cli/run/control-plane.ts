import { UsageError } from '../../errors.js';
import { sleep } from '../../lib/async.js';
import type { ControlPlaneAddress } from '../args.js';
import { type Child, startChild } from './child.js';

const START_DEADLINE_MS = 20_000;
const WATCH_INTERVAL_MS = 2_000;
const MISSED_ANSWERS = 3;

export interface ControlPlaneOptions {
  readonly address: ControlPlaneAddress;
  /** The words that start this CLI: the Node binary and the script. */
  readonly weft: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  readonly onLine: (line: string) => Promise<void> | undefined;
  readonly say: (text: string) => void;
  /** Aborts what goes on in the background; `stop` is separate so that it can come last. */
  readonly signal: AbortSignal;
}

export interface ControlPlaneLink {
  /** False: somebody else's answered. */
  readonly own: boolean;
  stop(graceMs: number): Promise<void>;
  kill(): void;
}

/** @returns whether a control plane answers on the address's HTTP port */
export async function controlPlaneAnswers(address: ControlPlaneAddress, timeoutMs = 1_000): Promise<boolean> {
  try {
    const host = address.host.includes(':') ? `[${address.host}]` : address.host;
    const response = await fetch(`http://${host}:${address.httpPort}/healthz`, { signal: AbortSignal.timeout(timeoutMs) });
    await response.arrayBuffer();
    return response.ok;
  } catch {
    return false;
  }
}

/**
 * Joins the control plane at the address, or starts one. Afterwards one is kept there for as long as the run lives: our own is
 * started again when it dies, and when another run's goes away with that run, ours takes its place.
 * @throws UsageError when it cannot be started
 */
export async function linkControlPlane(options: ControlPlaneOptions): Promise<ControlPlaneLink> {
  let child: Child | undefined;
  if (!(await controlPlaneAnswers(options.address))) child = await startControlPlane(options);
  const own = child !== undefined;
  let stopped = false;
  const background = async () => {
    while (!stopped && !options.signal.aborted) {
      if (child) {
        const exit = await Promise.race([child.exited, aborted(options.signal)]);
        if (stopped || options.signal.aborted || !exit) return;
        options.say(`the control plane ended (${exit.text}); calls go on meanwhile, it is started again`);
        await sleep(200, options.signal);
      } else if (await keepsAnswering(options)) return;
      if (options.signal.aborted || (await controlPlaneAnswers(options.address))) child = undefined;
      else child = await startControlPlane(options).catch((error: Error) => void options.say(error.message));
    }
  };
  void background();
  return {
    own,
    async stop(graceMs) {
      stopped = true;
      await child?.stop(graceMs);
    },
    kill: () => child?.kill(),
  };
}

/** @returns true when the signal ended the watch, false when the control plane has gone away */
async function keepsAnswering({ address, signal, say }: ControlPlaneOptions): Promise<boolean> {
  let missed = 0;
  while (!signal.aborted) {
    await sleep(WATCH_INTERVAL_MS, signal);
    missed = (await controlPlaneAnswers(address)) ? 0 : missed + 1;
    if (missed < MISSED_ANSWERS) continue;
    say('the control plane of another run has gone; this run starts one in its place');
    return false;
  }
  return true;
}

async function startControlPlane({ address, weft, env, onLine, signal }: ControlPlaneOptions): Promise<Child> {
  const [command = process.execPath, ...words] = weft;
  const listen = ['--port', String(address.port), '--http-port', String(address.httpPort)];
  const child = startChild({ command, args: [...words, 'control-plane', ...listen], env, onLine });
  let exitText: string | undefined;
  void child.exited.then(({ text }) => {
    exitText = text;
  });
  const deadline = performance.now() + START_DEADLINE_MS;
  while (!(await controlPlaneAnswers(address, 500))) {
    if (exitText !== undefined) throw new UsageError(`the control plane did not start (${exitText}): ${lastWords(child)}`);
    if (performance.now() > deadline || signal.aborted) {
      child.kill();
      throw new UsageError(`the control plane did not answer within ${START_DEADLINE_MS / 1000} s: ${lastWords(child)}`);
    }
    await sleep(25, signal);
  }
  return child;
}

const lastWords = (child: Child) =>
  child
    .tail()
    .at(-1)
    ?.replace(/^weft: /, '') ?? 'it said nothing';

function aborted(signal: AbortSignal): Promise<undefined> {
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(undefined), { once: true }));
}
