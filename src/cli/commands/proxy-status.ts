import { type Command, Option } from 'commander';
import type { ProxyStatus, SyncState, TypeStatus } from '../../control/status.js';
import { resourceTypes } from '../../xds/resource-types.js';
import { controlPlaneOption, withExamples } from '../args.js';
import { readStatus } from '../control-plane-client.js';
import { renderTable } from '../table.js';
import { type Colour, processTerminal, type Terminal } from '../terminal.js';

interface Flags {
  readonly controlPlaneAddress: string;
  readonly output: 'table' | 'json';
}

export function define(command: Command): void {
  command
    .addOption(new Option('-o, --output <format>', 'how to print').choices(['table', 'json']).default('table'))
    .addOption(controlPlaneOption())
    .action(async ({ controlPlaneAddress, output }: Flags) => {
      const terminal = processTerminal();
      const { proxies } = await readStatus<{ readonly proxies: readonly ProxyStatus[] }>(controlPlaneAddress, '/v1/proxies');
      terminal.line(output === 'json' ? JSON.stringify(proxies, undefined, 2) : renderProxies(proxies, terminal));
    });
  withExamples(command, [['Whether every proxy has its newest configuration', 'weft proxy-status']]);
}

const COLUMNS: readonly (readonly [string, readonly string[]])[] = [
  ['CDS', [resourceTypes.cluster]],
  ['EDS', [resourceTypes.endpoint]],
  ['LDS', [resourceTypes.listener]],
  ['RDS', [resourceTypes.route]],
  [
    'BLOCKS',
    [
      ...[resourceTypes.configuration, resourceTypes.resiliency, resourceTypes.component],
      ...[resourceTypes.actorResiliency, resourceTypes.subscription, resourceTypes.placement],
    ],
  ],
];

/** @returns one row a proxy, and under the table what proxies refused */
export function renderProxies(proxies: readonly ProxyStatus[], { paint }: Pick<Terminal, 'paint'>): string {
  if (proxies.length === 0) return 'No proxies are connected.';
  const sorted = [...proxies].sort((a, b) => (a.nodeId < b.nodeId ? -1 : 1));
  const rows = sorted.map((proxy) => [
    proxy.nodeId,
    ...COLUMNS.map(([, urls]) => {
      const state = worst(proxy.types.filter(({ typeUrl }) => urls.includes(typeUrl)));
      return paint(COLOURS[state], state);
    }),
    proxy.connected ? 'yes' : paint('red', 'no'),
  ]);
  const table = renderTable([['NAME', ...COLUMNS.map(([heading]) => heading), 'CONNECTED'], ...rows]);
  const nacks = sorted.flatMap(({ nodeId, types }) => types.flatMap((type) => nackLine(nodeId, type)));
  return [table, ...nacks.map((line) => paint('red', line))].join('\n');
}

const COLOURS: Readonly<Record<SyncState, Colour>> = { SYNCED: 'green', STALE: 'yellow', NACKED: 'red', 'NOT SENT': 'grey' };
const SEVERITY: readonly SyncState[] = ['NACKED', 'STALE', 'SYNCED', 'NOT SENT'];

/** Several types in one column: the one that needs attention counts. */
function worst(types: readonly TypeStatus[]): SyncState {
  return SEVERITY.find((state) => types.some((type) => type.state === state)) ?? 'NOT SENT';
}

function nackLine(nodeId: string, { typeUrl, nack }: TypeStatus): readonly string[] {
  if (!nack) return [];
  const names = nack.resources.map(({ name, version }) => `${name}@${version}`).join(', ');
  const type = typeUrl.slice(typeUrl.lastIndexOf('.') + 1);
  return [`${nodeId} refused ${type}${names ? ` ${names}` : ''} at ${new Date(nack.at).toISOString()}: ${nack.message}`];
}
