import type { Command } from 'commander';
import { findEnvoy } from '../../agent/envoy/binary.js';
import { withExamples } from '../args.js';
import { processTerminal } from '../terminal.js';

export function define(command: Command): void {
  command.action(async () => {
    processTerminal().line((await findEnvoy()).path);
  });
  withExamples(command, [['Where Envoy is; fetches the pinned one when there is none', 'weft envoy']]);
}
