import { messageOf } from '../../errors.js';
import type { ReadyUnit } from '../run/runner.js';
import { renderTable } from '../table.js';
import type { Paint, Terminal } from '../terminal.js';
import { createQuickstartApi } from './api.js';
import { type StepResult, steps } from './steps.js';

/** The blanks, the first and the last column take about 35 columns; the two with values share the rest. */
const cellWidth = () => Math.max(40, Math.floor(((process.stdout.columns ?? 167) - 35) / 2));

/**
 * Runs every step, says which works, and prints the table of what travelled.
 * @returns the blocks whose step failed
 */
export async function showSteps(ready: readonly ReadyUnit[], terminal: Terminal): Promise<readonly string[]> {
  const { line, paint } = terminal;
  const api = createQuickstartApi({ orders: portOf(ready, 'orders'), checkout: portOf(ready, 'checkout') });
  const id = Date.now().toString(36);
  const failed: string[] = [];
  const rows: (readonly string[])[] = [
    ['BLOCK', 'SENT', 'CAME BACK / SEEN BY THE OTHER SIDE', 'OK'].map((text) => paint('bold', text)),
  ];
  line();
  for (const { block, run } of steps) {
    line(`${paint('grey', '…')} ${block}`);
    try {
      rows.push(toRow(block, await run(api, id), paint));
    } catch (error) {
      failed.push(block);
      rows.push([block, '', messageOf(error), paint('red', 'no')]);
    }
  }
  line();
  line(renderTable(rows));
  line();
  return failed;
}

function portOf(ready: readonly ReadyUnit[], appId: string): number {
  return ready.find(({ unit }) => unit.plan.appId === appId)?.unit.ports.httpPort ?? 0;
}

function toRow(block: string, { sent, seen }: StepResult, paint: Paint): readonly string[] {
  return [block, cell(sent), cell(seen), paint('green', 'yes')];
}

function cell(value: unknown): string {
  const text = JSON.stringify(value);
  const width = cellWidth();
  return text.length > width ? `${text.slice(0, width - 1)}…` : text;
}

/** What to try next, with the ports of this very run. */
export function nextThings(ready: readonly ReadyUnit[], controlPlaneFlag: string): string {
  const port = portOf(ready, 'checkout');
  const weft = (words: string) => `  npx weft ${words}${controlPlaneFlag}`;
  return [
    'Try next, in another terminal:',
    `  curl -s http://127.0.0.1:${port}/v1.0/invoke/orders/method/seen`,
    `  curl -s -H 'dapr-app-id: orders' http://127.0.0.1:${port}/seen`,
    `  curl -s -X POST http://127.0.0.1:${port}/v1.0/state/statestore -d '[{"key":"hello","value":"weft"}]'`,
    `  curl -s http://127.0.0.1:${port}/v1.0/state/statestore/hello`,
    `  curl -s -X POST http://127.0.0.1:${port}/v1.0/actors/CartActor/me/method/add -H 'content-type: application/json' -d '["loom",1]'`,
    weft('list'),
    weft(`invoke --app-id orders --method checkout --data '{"id":"mine","item":"yarn","quantity":5}'`),
    weft(`publish --publish-app-id checkout --pubsub pubsub --topic shipments --data '{"parcel":7}'`),
    weft('components'),
    weft('proxy-status'),
    'The apps are in examples/quickstart. Ctrl-C stops everything.',
  ].join('\n');
}
