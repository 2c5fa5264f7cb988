import type { Command } from 'commander';
import type { AppStatus } from '../../control/status.js';
import { messageOf, UsageError } from '../../errors.js';
import { sleep } from '../../lib/async.js';
import { controlPlaneOption, listArgument, withExamples } from '../args.js';
import { listApps } from '../control-plane-client.js';
import { isRunning } from '../process-state.js';
import { readRunFile } from '../run/run-file.js';
import { didYouMean } from '../suggest.js';
import { processTerminal } from '../terminal.js';

/** Longer than a run takes to stop at worst: calls 6 s, apps 5 s, sidecars 12 s, control plane 3 s. */
const GONE_WITHIN_MS = 30_000;

interface Flags {
  readonly appId?: readonly string[];
  readonly runFile?: string;
  readonly controlPlaneAddress: string;
}

export function define(command: Command): void {
  command
    .argument('[app-id...]', 'apps to stop')
    .option('-a, --app-id <id>', 'an app to stop; may be given again', listArgument)
    .option('-f, --run-file <path>', 'stop every app of this run file')
    .addOption(controlPlaneOption())
    .action(async (words: readonly string[], flags: Flags) => {
      const ids = new Set([...words, ...(flags.appId ?? [])]);
      if (flags.runFile) for (const { appId } of readRunFile(flags.runFile).apps) ids.add(appId);
      if (ids.size === 0) throw new UsageError('stop: name an app, or a run file with -f');
      await stopApps(ids, flags);
    });
  withExamples(command, [
    ['Stop an app; the `weft run` that started it ends, with everything it started', 'weft stop orders'],
    ['Stop every app of a run file', 'weft stop -f weft.yaml'],
  ]);
}

async function stopApps(ids: ReadonlySet<string>, { controlPlaneAddress, runFile }: Flags): Promise<void> {
  const { line } = processTerminal();
  const running = await listApps(controlPlaneAddress);
  const known = new Set(running.map(({ appId }) => appId));
  for (const id of ids)
    if (!known.has(id) && runFile === undefined)
      throw new UsageError(`stop: no app ${id} is running${didYouMean(id, known)}; \`weft list\` shows what is`);
  const wanted = running.filter(({ appId }) => ids.has(appId));
  if (wanted.length === 0) return line('None of these apps is running.');
  const pids = new Set(wanted.map(ownerOf));
  for (const pid of pids) terminate(pid);
  const left = await untilGone(pids);
  if (left.length > 0)
    throw new UsageError(`stop: process ${left.join(', ')} did not end within ${GONE_WITHIN_MS / 1000} s; kill -9 ends it`);
  for (const { appId } of wanted) line(`stopped ${appId}`);
}

/** The `weft run` that owns the app, which stops it in order; a sidecar that was started by hand is its own owner. */
const ownerOf = ({ runPid, pid }: AppStatus) => (runPid > 0 ? runPid : pid);

function terminate(pid: number): void {
  try {
    process.kill(pid, 'SIGTERM');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw new UsageError(`stop: process ${pid}: ${messageOf(error)}`);
  }
}

async function untilGone(pids: Iterable<number>): Promise<readonly number[]> {
  const deadline = performance.now() + GONE_WITHIN_MS;
  let left = [...pids].filter(isRunning);
  while (left.length > 0 && performance.now() < deadline) {
    await sleep(50);
    left = left.filter(isRunning);
  }
  return left;
}
