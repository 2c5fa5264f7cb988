import { once } from 'node:events';
import { rmSync, writeFileSync } from 'node:fs';
import { messageOf, UsageError } from '../../errors.js';
import { backoff, deferred, sleep } from '../../lib/async.js';
import { type GuardedChild, spawnGuarded } from '../../lib/guard.js';
import type { Logger, LogLevel } from '../../telemetry/logger.js';
import { type EnvoyAdmin, envoyAdmin } from './admin.js';
import { ENVOY_LOG_FORMAT, envoyLevel, envoyLog } from './log.js';

export interface EnvoyOptions {
  /** Path of the Envoy binary. */
  readonly binary: string;
  readonly bootstrap: Readonly<Record<string, unknown>>;
  /** Where the bootstrap file is written. */
  readonly bootstrapPath: string;
  readonly adminSocket: string;
  /** Unix sockets that Envoy listens on; a killed Envoy leaves their files. */
  readonly sockets: readonly string[];
  /** Worker threads. */
  readonly concurrency: number;
  /** How long closing listeners let their connections end, seconds. */
  readonly drainSeconds: number;
  readonly logLevel: LogLevel;
  /** @returns true for a line of Envoy's output that it has dealt with: a call of its access log */
  readonly takeCall?: (line: string) => boolean;
  readonly logger: Logger;
  /** Called at every start, also the first. */
  readonly onStart?: () => void;
}

/** One Envoy that is kept running. */
export interface Envoy {
  readonly admin: EnvoyAdmin;
  /** Of the Envoy that runs now; undefined between two. */
  pid(): number | undefined;
  /** Rejects with a UsageError when Envoy cannot be started at all; never resolves. */
  readonly failed: Promise<never>;
  /** Kills the one that runs now; another one takes its place. */
  replace(): void;
  /** Asks clients to go elsewhere and waits until no request is under way, for at most `graceMs`. Envoy goes on running. */
  drain(graceMs: number): Promise<void>;
  /** Ends Envoy at once. Idempotent. */
  stop(): Promise<void>;
}

const QUICK_END_MS = 5000;
const GIVE_UP_AFTER = 3;
const TERM_MS = 2000;
const DRAIN_POLL_MS = 50;

/** Starts Envoy and starts it again whenever it ends, at once the first time, then with growing pauses. */
export function startEnvoy(options: EnvoyOptions): Envoy {
  writeFileSync(options.bootstrapPath, JSON.stringify(options.bootstrap), { mode: 0o600 });
  const admin = envoyAdmin(options.adminSocket);
  const failed = deferred<never>();
  failed.promise.catch(() => {});
  const stopping = new AbortController();
  let current: GuardedChild | undefined;

  const finished = supervise(options, admin, {
    signal: stopping.signal,
    onStart: (child) => {
      current = child;
      options.onStart?.();
    },
    onGiveUp: failed.reject,
  });

  async function stop(): Promise<void> {
    stopping.abort();
    current?.signal('SIGTERM');
    const killer = setTimeout(() => current?.signal('SIGKILL'), TERM_MS);
    await finished;
    clearTimeout(killer);
    for (const socket of [...options.sockets, options.adminSocket]) rmSync(socket, { force: true });
  }

  return {
    admin,
    pid: () => (current?.child.exitCode === null && current.child.signalCode === null ? current.child.pid : undefined),
    failed: failed.promise,
    replace: () => void current?.signal('SIGKILL'),
    drain: (graceMs) => drainRequests(admin, graceMs).catch(() => {}),
    stop,
  };
}

interface Supervision {
  readonly signal: AbortSignal;
  onStart(child: GuardedChild): void;
  onGiveUp(error: UsageError): void;
}

async function supervise(options: EnvoyOptions, admin: EnvoyAdmin, supervision: Supervision): Promise<void> {
  const { signal, onGiveUp } = supervision;
  const wait = backoff({ initialMs: 200, maxMs: 5000 });
  let everLive = false;
  let quickEnds = 0;
  while (!signal.aborted) {
    const startedAt = performance.now();
    const end = await runOnce(options, supervision, async () => {
      everLive ||= await admin.isLive();
      return everLive;
    });
    if (signal.aborted) return;
    const quick = performance.now() - startedAt < QUICK_END_MS;
    quickEnds = quick ? quickEnds + 1 : 0;
    if (!everLive && quickEnds >= GIVE_UP_AFTER) {
      onGiveUp(new UsageError(`Envoy (${options.binary}) does not start: ${end}`));
      return;
    }
    options.logger.error(`Envoy ended and is started again: ${end}`);
    if (!quick) wait.reset();
    if (quickEnds > 1) await sleep(wait.next(), signal);
  }
}

/** Runs one Envoy to its end. @returns how it ended and what it said last, one line */
async function runOnce(
  options: EnvoyOptions,
  { signal, onStart }: Supervision,
  noteLive: () => Promise<boolean>,
): Promise<string> {
  const isStopping = () => signal.aborted;
  for (const socket of [...options.sockets, options.adminSocket]) rmSync(socket, { force: true });
  const log = envoyLog(options.logger, { takeCall: options.takeCall, isStopping });
  const guarded = spawnGuarded(
    options.binary,
    [
      ...['-c', options.bootstrapPath, '--concurrency', String(options.concurrency)],
      // Without hot restart there is no shared-memory region and no base id that Envoys of other products could clash with.
      ...['--disable-hot-restart', '--drain-time-s', String(options.drainSeconds), '--drain-strategy', 'immediate'],
      // Lines of the access log, when there is one, soon; Envoy's own number is 10 s.
      ...['--file-flush-interval-msec', '500'],
      ...['--log-level', envoyLevel[options.logLevel], '--log-format', ENVOY_LOG_FORMAT],
    ],
    // A group of its own: Ctrl-C in a terminal goes to the sidecar alone, which lets requests end first.
    { stdio: ['ignore', 'pipe', 'pipe'], group: true },
  );
  onStart(guarded);
  const { child } = guarded;
  child.stdout?.on('data', (chunk) => log.push(chunk));
  child.stderr?.on('data', (chunk) => log.push(chunk));
  const liveCheck = setInterval(() => {
    noteLive().then((live) => live && clearInterval(liveCheck));
  }, 250);
  liveCheck.unref();
  try {
    const [code, signalName] = await once(child, 'close');
    const how = signalName ? `killed by ${signalName}` : `exit code ${code}`;
    const last = log.lastLines().at(-1);
    return last ? `${how}; its last words: ${last}` : how;
  } catch (error) {
    return messageOf(error);
  } finally {
    clearInterval(liveCheck);
  }
}

async function drainRequests(admin: EnvoyAdmin, graceMs: number): Promise<void> {
  const end = performance.now() + graceMs;
  await admin.call('POST', '/drain_listeners?graceful&skip_exit');
  while (performance.now() < end && (await admin.activeRequests()) > 0) await sleep(DRAIN_POLL_MS);
}
