import { homedir } from 'node:os';
import { renderTable } from '../table.js';
import type { Paint } from '../terminal.js';
import type { ReadyUnit } from './runner.js';

/** @returns what stands on the screen once everything is ready */
export function readySummary(ready: readonly ReadyUnit[], paint: Paint): string {
  const slowest = Math.max(...ready.map(({ readyMs }) => readyMs));
  const heading = ['APP ID', 'HTTP', 'GRPC', 'APP PORT', 'READY IN', 'LOG'].map((title) => paint('bold', title));
  const rows = ready.map(({ unit, readyMs }) => [
    unit.plan.appId,
    String(unit.ports.httpPort),
    String(unit.ports.grpcPort),
    unit.plan.appPort === 0 ? '-' : String(unit.plan.appPort),
    `${Math.round(readyMs)} ms`,
    short(unit.appLogPath ?? unit.sidecarLogPath ?? '-'),
  ]);
  const count = ready.length === 1 ? 'ready' : `all ${ready.length} ready`;
  return [`${paint('green', '✔')} ${count} in ${(slowest / 1000).toFixed(1)} s`, renderTable([heading, ...rows])].join('\n');
}

function short(path: string): string {
  const home = homedir();
  return path.startsWith(`${home}/`) ? `~${path.slice(home.length)}` : path;
}
