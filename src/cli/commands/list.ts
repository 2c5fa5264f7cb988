import { type Command, Option } from 'commander';
import type { AppStatus } from '../../control/status.js';
import { controlPlaneOption, withExamples } from '../args.js';
import { listApps } from '../control-plane-client.js';
import { ageText, renderTable } from '../table.js';
import { processTerminal } from '../terminal.js';

interface Flags {
  readonly controlPlaneAddress: string;
  readonly output: 'table' | 'json';
}

export function define(command: Command): void {
  command
    .addOption(new Option('-o, --output <format>', 'how to print').choices(['table', 'json']).default('table'))
    .addOption(controlPlaneOption())
    .action(async ({ controlPlaneAddress, output }: Flags) => {
      const { line } = processTerminal();
      const apps = await listApps(controlPlaneAddress);
      if (output === 'json') line(JSON.stringify(apps.map(toJson), undefined, 2));
      else line(apps.length === 0 ? 'No apps are running.' : renderTable([heading, ...apps.map(toRow)]));
    });
  withExamples(command, [
    ['The running apps with their ports and processes', 'weft list'],
    ['For a script', 'weft list -o json'],
  ]);
}

const heading = ['APP ID', 'STATE', 'HTTP PORT', 'GRPC PORT', 'APP PORT', 'COMMAND', 'AGE', 'SIDECAR PID', 'RUN PID', 'APP PID'];
const orDash = (value: number) => (value === 0 ? '-' : String(value));

function toRow(app: AppStatus): readonly string[] {
  const { appId, state, httpPort, grpcPort, appPort, command, ageMs, pid, runPid, appPid } = app;
  const ports = [httpPort, grpcPort, appPort].map(orDash);
  return [appId, state, ...ports, command || '-', ageText(ageMs), ...[pid, runPid, appPid].map(orDash)];
}

/** Under the names that `dapr list -o json` uses, where it has one. */
function toJson(app: AppStatus): Record<string, unknown> {
  const { pid, runPid, startedAtMs, ageMs, ...rest } = app;
  const created = new Date(startedAtMs).toISOString();
  return { ...rest, daprdPid: pid, cliPid: runPid, created, age: ageText(ageMs) };
}
