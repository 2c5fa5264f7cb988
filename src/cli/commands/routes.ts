import { type Command, Option } from 'commander';
import type { RouteStatus } from '../../control/route-status.js';
import { controlPlaneOption, withExamples } from '../args.js';
import { readStatus } from '../control-plane-client.js';
import { renderTable } from '../table.js';
import { processTerminal, type Terminal } from '../terminal.js';

interface Flags {
  readonly controlPlaneAddress: string;
  readonly output: 'table' | 'json';
}

interface Answer {
  readonly routes: readonly RouteStatus[];
  readonly problems: readonly string[];
}

export function define(command: Command): void {
  command
    .addOption(new Option('-o, --output <format>', 'how to print').choices(['table', 'json']).default('table'))
    .addOption(controlPlaneOption())
    .action(async ({ controlPlaneAddress, output }: Flags) => {
      const terminal = processTerminal();
      const answer = await readStatus<Answer>(controlPlaneAddress, '/v1/routes');
      terminal.line(output === 'json' ? JSON.stringify(answer, undefined, 2) : renderRoutes(answer, terminal));
    });
  withExamples(command, [
    ['Which routes are in force, and why others are not', 'weft routes'],
    ['Where one call goes', 'weft explain orders /items/7'],
  ]);
}

/** @returns one row a route and parent, and under the table what was refused when it was read */
export function renderRoutes({ routes, problems }: Answer, { paint }: Pick<Terminal, 'paint'>): string {
  const rows = routes.map(({ kind, namespace, name, parent, accepted, resolvedRefs }) => {
    const worst = accepted.status && accepted.message === '' ? resolvedRefs : accepted;
    const yes = (right: boolean) => (right ? paint('green', 'yes') : paint('red', 'no'));
    const reason = worst.message === '' ? accepted.reason : `${worst.reason}: ${worst.message}`;
    return [kind, namespace || '(all)', name, parent || '-', yes(accepted.status), yes(resolvedRefs.status), reason];
  });
  const heading = ['KIND', 'NAMESPACE', 'NAME', 'PARENT', 'ACCEPTED', 'REFS', 'REASON'];
  const table = rows.length === 0 ? 'No route is known.' : renderTable([heading, ...rows]);
  return [table, ...problems.map((problem) => paint('red', problem))].join('\n');
}
