import { openSync, readSync, statSync, watchFile } from 'node:fs';
import type { Command } from 'commander';
import { UsageError } from '../../errors.js';
import { weftDir } from '../../lib/weft-home.js';
import { withExamples } from '../args.js';
import { logFiles } from '../run/lines.js';

interface Flags {
  readonly appId: string;
  readonly sidecar?: boolean;
  readonly follow?: boolean;
}

export function define(command: Command): void {
  command
    .requiredOption('-a, --app-id <id>', 'the app')
    .option('-s, --sidecar', "the log of the app's sidecar instead")
    .option('--follow', 'stay, and show what is added')
    .action(({ appId, sidecar, follow }: Flags) => {
      const kind = sidecar ? 'sidecar' : 'app';
      const path = logFiles(appId, kind).at(-1);
      if (!path) throw new UsageError(`--app-id ${appId}: no ${kind} log of it in ${weftDir('logs')}`);
      show(path, follow === true);
    });
  withExamples(command, [
    ['The log of the newest run of an app, also after the run', 'weft logs --app-id orders'],
    ['What its sidecar says, live', 'weft logs --app-id orders --sidecar --follow'],
  ]);
}

function show(path: string, follow: boolean): void {
  const handle = openSync(path, 'r');
  const buffer = Buffer.alloc(64 * 1024);
  let position = 0;
  const copyNew = () => {
    for (let size = 1; size > 0; position += size) {
      size = readSync(handle, buffer, 0, buffer.length, position);
      if (size > 0) process.stdout.write(Buffer.from(buffer.subarray(0, size)));
    }
  };
  copyNew();
  if (!follow) return;
  watchFile(path, { interval: 200 }, () => {
    if (statSync(path, { throwIfNoEntry: false })) copyNew();
  });
}
