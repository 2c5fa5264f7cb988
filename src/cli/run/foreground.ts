import { realpathSync } from 'node:fs';
import type { ControlPlaneAddress } from '../args.js';
import type { Terminal } from '../terminal.js';
import type { RunPlan } from './plan.js';
import { type ReadyUnit, type Run, startRun } from './runner.js';

export interface ForegroundOptions {
  readonly plan: RunPlan;
  readonly controlPlane: ControlPlaneAddress;
  readonly terminal: Terminal;
  /** For everything that is started. */
  readonly env: NodeJS.ProcessEnv;
  /** Called once, when everything is ready. What it returns is awaited: an exit code ends the run with it. */
  readonly onReady: (ready: readonly ReadyUnit[], run: Run) => unknown;
}

/**
 * A run that owns the terminal: the first Ctrl-C, SIGTERM or SIGHUP stops it in order, the second kills it.
 * @returns the exit code: 0 when somebody asked it to stop, else that of the app that failed
 */
export async function runUntilEnd({ plan, controlPlane, terminal, env, onReady }: ForegroundOptions): Promise<number> {
  const stopping = new AbortController();
  let run: Run | undefined;
  const onSignal = (signal: NodeJS.Signals) => {
    if (stopping.signal.aborted) {
      terminal.note('weft: killed');
      run?.kill();
      process.exit(130);
    }
    stopping.abort();
    terminal.note(`\nweft: ${signal}, stopping; once more kills`);
    void run?.stop();
  };
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const signal of signals) process.on(signal, onSignal);
  // A reader that went away (`weft run | head`) must end the run in order, not with an exception.
  process.stdout.on('error', () => void (run ? run.stop() : stopping.abort()));
  try {
    run = await startRun(plan, {
      controlPlane,
      terminal,
      weft: [process.execPath, ...process.execArgv, realpathSync(process.argv[1] as string)],
      env,
      signal: stopping.signal,
    });
    if (!run) return 0;
    const ready = await run.ready;
    const verdict = ready && (await onReady(ready, run));
    if (typeof verdict === 'number') return (await run.stop()) || verdict;
    return await run.ended;
  } catch (error) {
    await run?.stop();
    throw error;
  } finally {
    for (const signal of signals) process.off(signal, onSignal);
  }
}
