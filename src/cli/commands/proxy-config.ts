import { Argument, type Command, Option } from 'commander';
import type { ProxyConfig } from '../../control/status.js';
import { resourceTypes } from '../../xds/resource-types.js';
import { controlPlaneOption, withExamples } from '../args.js';
import { findApp, readStatus } from '../control-plane-client.js';
import { renderTable } from '../table.js';
import { processTerminal } from '../terminal.js';

interface Flags {
  readonly controlPlaneAddress: string;
  readonly output: 'table' | 'json';
  readonly namespace?: string;
}

export function define(command: Command): void {
  command
    .argument('<app>', 'app id')
    .addArgument(new Argument('[type]', 'only resources of this type').choices(Object.keys(resourceTypes)))
    .option('-n, --namespace <namespace>', 'only the app of this namespace')
    .addOption(new Option('-o, --output <format>', 'how to print').choices(['json', 'table']).default('json'))
    .addOption(controlPlaneOption())
    .action(proxyConfig);
  withExamples(command, [
    ['Everything that the proxies of orders were sent', 'weft proxy-config orders'],
    ['Where its Envoy sends calls to other apps', 'weft proxy-config orders endpoint'],
  ]);
}

async function proxyConfig(app: string, type: string | undefined, flags: Flags): Promise<void> {
  const { line } = processTerminal();
  // Only to say which apps there are when this one is not.
  await findApp(flags.controlPlaneAddress, app, 'weft proxy-config');
  const query = new URLSearchParams({ ...(type && { type }), ...(flags.namespace && { namespace: flags.namespace }) });
  const path = `/v1/proxies/${encodeURIComponent(app)}/config?${query}`;
  const { proxies } = await readStatus<{ readonly proxies: readonly ProxyConfig[] }>(flags.controlPlaneAddress, path);
  line(flags.output === 'json' ? JSON.stringify(proxies, undefined, 2) : renderConfigs(proxies));
}

/** @returns one row a resource */
export function renderConfigs(proxies: readonly ProxyConfig[]): string {
  const rows = proxies.flatMap(({ nodeId, types }) =>
    types.flatMap(({ type, resources }) =>
      resources.map(({ name, version, accepted }) => [nodeId, type, name, version, accepted ? 'yes' : 'refused']),
    ),
  );
  return rows.length === 0 ? 'Nothing was sent.' : renderTable([['PROXY', 'TYPE', 'NAME', 'VERSION', 'ACCEPTED'], ...rows]);
}
