import type { Command } from 'commander';
import { UsageError } from '../../errors.js';
import { controlPlaneOption, withExamples } from '../args.js';
import { nextThings, showSteps } from '../quickstart/show.js';
import { onFreePorts, ownSurroundings, quickstartFile } from '../quickstart/surroundings.js';
import { runUntilEnd } from '../run/foreground.js';
import { readRunFile } from '../run/run-file.js';
import type { ReadyUnit } from '../run/runner.js';
import { readySummary } from '../run/summary.js';
import { processTerminal } from '../terminal.js';

interface Flags {
  readonly once?: boolean;
  readonly controlPlaneAddress: string;
}

export function define(command: Command): void {
  command
    .option('--once', 'end when every step was shown; exit code 0 only if all of them worked')
    .addOption(controlPlaneOption())
    .action(quickstart);
  withExamples(command, [
    ['Two apps, four building blocks, what travelled; stays up until Ctrl-C', 'weft quickstart'],
    ['The same as a check', 'weft quickstart --once'],
  ]);
}

async function quickstart({ once = false, controlPlaneAddress }: Flags): Promise<void> {
  const terminal = processTerminal();
  const say = (text: string) => terminal.line(`${terminal.paint('bold', 'weft')}: ${text}`);
  const plan = await onFreePorts(readRunFile(quickstartFile()), say);
  const { controlPlane, flag, env, dispose } = await ownSurroundings(controlPlaneAddress, say);
  say('starting orders (Python, standard library only) and checkout (TypeScript, official Dapr SDK)');
  let shown = false;
  const onReady = async (ready: readonly ReadyUnit[]) => {
    terminal.line(readySummary(ready, terminal.paint));
    const failed = await showSteps(ready, terminal);
    shown = true;
    if (failed.length > 0) terminal.note(`weft: quickstart: not seen to work: ${failed.join(', ')}`);
    if (once) return failed.length > 0 ? 1 : 0;
    terminal.line(nextThings(ready, flag));
  };
  const code = await runUntilEnd({ plan, controlPlane, terminal, env, onReady }).finally(dispose);
  if (once && !shown && code === 0) throw new UsageError('quickstart: stopped before every step was shown');
  process.exitCode = code;
}
