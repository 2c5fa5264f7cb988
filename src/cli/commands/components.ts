import { type Command, Option } from 'commander';
import type { AppStatus } from '../../control/status.js';
import { UsageError } from '../../errors.js';
import { controlPlaneOption, withExamples } from '../args.js';
import { findApp, listApps } from '../control-plane-client.js';
import { callSidecar } from '../sidecar-call.js';
import { renderTable } from '../table.js';
import { processTerminal } from '../terminal.js';

interface Flags {
  readonly appId?: string;
  readonly name?: string;
  readonly output: 'table' | 'json';
  readonly controlPlaneAddress: string;
}

interface LoadedComponent {
  readonly appId: string;
  readonly name: string;
  readonly type: string;
  readonly version: string;
  readonly capabilities?: readonly string[];
}

export function define(command: Command): void {
  command
    .option('-a, --app-id <id>', 'only those of this app')
    .option('-n, --name <name>', 'only the component of this name')
    .addOption(new Option('-o, --output <format>', 'how to print').choices(['table', 'json']).default('table'))
    .addOption(controlPlaneOption())
    .action(components);
  withExamples(command, [
    ['What every running sidecar has loaded', 'weft components'],
    ['Of one app, for a script', 'weft components --app-id orders -o json'],
  ]);
}

async function components({ appId, name, output, controlPlaneAddress }: Flags): Promise<void> {
  const { line } = processTerminal();
  const apps = appId ? [await findApp(controlPlaneAddress, appId, '--app-id')] : await listApps(controlPlaneAddress);
  const loaded = (await Promise.all(apps.filter(({ state }) => state !== 'lost').map(loadedBy))).flat();
  const shown = loaded.filter((component) => name === undefined || component.name === name);
  if (output === 'json') return line(JSON.stringify(shown, undefined, 2));
  const rows = shown.map((one) => [one.appId, one.name, one.type, one.version, one.capabilities?.join(', ') || '-']);
  line(
    rows.length === 0
      ? 'No components are loaded.'
      : renderTable([['APP ID', 'NAME', 'TYPE', 'VERSION', 'CAPABILITIES'], ...rows]),
  );
}

async function loadedBy({ appId, httpPort }: AppStatus): Promise<readonly LoadedComponent[]> {
  const { status, text } = await callSidecar({ httpPort, path: '/v1.0/metadata', verb: 'GET' });
  if (status !== 200) throw new UsageError(`the sidecar of ${appId} answered ${status} on /v1.0/metadata: ${text}`);
  const { components: list = [] } = JSON.parse(text) as { components?: Omit<LoadedComponent, 'appId'>[] };
  return list.map((component) => ({ appId, ...component }));
}
