import { setMaxListeners } from 'node:events';
import { deferred } from '../../lib/async.js';
import type { ControlPlaneAddress } from '../args.js';
import type { Terminal } from '../terminal.js';
import type { Child } from './child.js';
import { createConsoleLog, isFailureLine } from './console-log.js';
import { type ControlPlaneLink, linkControlPlane } from './control-plane.js';
import type { RunPlan } from './plan.js';
import { choosePorts, claimPorts, type PlannedPorts } from './ports.js';
import { settle } from './settle.js';
import { startUnit, type Unit, untilReady } from './unit.js';

const APP_GRACE_MS = 5_000;
/** A sidecar drains for at most `--dapr-graceful-shutdown-seconds` (5) before it stops Envoy and itself. */
const SIDECAR_GRACE_MS = 12_000;
const CONTROL_PLANE_GRACE_MS = 3_000;

export interface RunOptions {
  readonly controlPlane: ControlPlaneAddress;
  readonly terminal: Terminal;
  /** The words that start this CLI: the Node binary and the script. */
  readonly weft: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  /** Ends the start, where it has not come to its end. */
  readonly signal: AbortSignal;
}

export interface ReadyUnit {
  readonly unit: Unit;
  readonly readyMs: number;
}

export interface Run {
  readonly units: readonly Unit[];
  readonly ownControlPlane: boolean;
  /** All sidecars and apps are ready; undefined when the run ended before. */
  readonly ready: Promise<readonly ReadyUnit[] | undefined>;
  /** Exit code of the run, once everything is stopped. */
  readonly ended: Promise<number>;
  /** Waits for calls under way, then apps, then sidecars (they drain), then our control plane; each with a bound. Idempotent. */
  stop(): Promise<number>;
  /** SIGKILL to everything, now. */
  kill(): void;
}

/**
 * Starts a control plane if none answers, then every sidecar and app. The first failure stops the run.
 * @returns undefined when the signal came first
 * @throws UsageError for what can be told before anything runs; nothing half-started stays
 */
export async function startRun(plan: RunPlan, options: RunOptions): Promise<Run | undefined> {
  const { terminal, weft, env, controlPlane, signal } = options;
  const say = (text: string) => terminal.line(`${terminal.paint('bold', 'weft')}: ${text}`);
  for (const note of plan.notes) say(note);
  const taken = await claimPorts(plan.apps);
  // Once and here, so that a first download shows its progress and sidecars do not wait for each other's.
  const { findEnvoy } = await import('../../agent/envoy/binary.js');
  const envoyPath = (await findEnvoy({ env, report: say })).path;
  const background = new AbortController();
  // Each unit that starts waits on it; Node takes more than ten listeners for a leak.
  setMaxListeners(0, background.signal);
  signal.addEventListener('abort', () => background.abort(), { once: true });
  const console = createConsoleLog(process.stdout);
  const link = await linkControlPlane({
    ...{ address: controlPlane, weft, env, say, signal: background.signal },
    onLine: (line) =>
      !background.signal.aborted && isFailureLine(line) ? console.write('== CONTROL PLANE == ', line) : undefined,
  }).catch((error: unknown) => {
    if (!signal.aborted) throw error;
  });
  if (!link || signal.aborted) {
    await link?.stop(CONTROL_PLANE_GRACE_MS);
    return undefined;
  }
  // As late as can be: between the choice of a port and its use another process may take it.
  const ports = await choosePorts(plan.apps, taken);
  const startedAt = performance.now();
  const shared = { controlPlane, weft, env, envoyPath, console, paint: terminal.paint };
  const units = plan.apps.map((app, index) => startUnit(app, { ...shared, index, ports: ports[index] as PlannedPorts }));
  return supervise({ units, link, background, say, terminal, startedAt });
}

interface Supervised {
  readonly units: readonly Unit[];
  readonly link: ControlPlaneLink;
  readonly background: AbortController;
  readonly say: (text: string) => void;
  readonly terminal: Terminal;
  readonly startedAt: number;
}

function supervise(run: Supervised): Run {
  const { units, link, background, say, startedAt } = run;
  const ended = deferred<number>();
  let stopping = false;
  const finish = (code: number) => {
    if (!stopping) {
      stopping = true;
      background.abort();
      void stopAll(run).then(() => ended.resolve(code));
    }
    return ended.promise;
  };
  watchExits(run, { isStopping: () => stopping, finish });
  const ready = Promise.all(
    units.map(async (unit) => {
      const readyMs = await untilReady(unit, { startedAt, signal: background.signal, onSlow: say });
      return readyMs === undefined ? undefined : { unit, readyMs };
    }),
  ).then((all) => (all.every((one) => one !== undefined) && !stopping ? (all as readonly ReadyUnit[]) : undefined));
  return {
    units,
    ownControlPlane: link.own,
    ready,
    ended: ended.promise,
    stop: () => finish(0),
    kill() {
      stopping = true;
      background.abort();
      for (const { app, sidecar } of units) for (const child of [app, sidecar]) child?.kill();
      link.kill();
      ended.resolve(137);
    },
  };
}

interface Ending {
  isStopping(): boolean;
  finish(code: number): Promise<number>;
}

function watchExits(run: Supervised, { isStopping, finish }: Ending): void {
  const { units, say } = run;
  const running = new Set(units);
  for (const unit of units) {
    void unit.sidecar.exited.then((exit) => {
      if (isStopping() || !running.has(unit)) return;
      report(run, `the sidecar of ${unit.plan.appId} ended (${exit.text})`, unit.sidecar, unit.sidecarLogPath);
      void finish(exit.code || 1);
    });
    void unit.app?.exited.then((exit) => {
      unit.app?.kill();
      if (isStopping()) return;
      if (exit.code !== 0) {
        report(run, `app ${unit.plan.appId} failed (${exit.text})`, unit.app, unit.appLogPath);
        return void finish(exit.code);
      }
      say(`app ${unit.plan.appId} ended (exit code 0); its sidecar is stopped`);
      running.delete(unit);
      unit.quieten();
      void unit.sidecar.stop(SIDECAR_GRACE_MS);
      if (running.size === 0) void finish(0);
    });
  }
}

/** Names what failed, and shows the last it said, since that may have scrolled away or have gone to a file only. */
function report({ terminal }: Supervised, what: string, child: Child | undefined, logPath: string | undefined): void {
  terminal.note(`${terminal.paint('red', 'weft')}: ${what}${logPath ? `; log: ${logPath}` : ''}`);
  const lines = child?.tail() ?? [];
  if (lines.length > 0) terminal.note(`its last ${lines.length === 1 ? 'line' : `${lines.length} lines`}:`);
  for (const line of lines) terminal.note(`  ${line}`);
}

async function stopAll({ units, link, say }: Supervised): Promise<void> {
  for (const unit of units) unit.quieten();
  await settle(units.map(({ sidecar }) => sidecar));
  const stopOne = async (what: string, stop: Promise<{ readonly killed: boolean }> | undefined) => {
    if ((await stop)?.killed) say(`${what} did not end in time and was killed`);
  };
  await Promise.all(units.map(({ plan, app }) => stopOne(`app ${plan.appId}`, app?.stopGroup(APP_GRACE_MS))));
  await Promise.all(units.map(({ plan, sidecar }) => stopOne(`the sidecar of ${plan.appId}`, sidecar.stop(SIDECAR_GRACE_MS))));
  await link.stop(CONTROL_PLANE_GRACE_MS);
  for (const unit of units) unit.closeLogs();
}
