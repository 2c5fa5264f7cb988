import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isRunning } from '../../../src/cli/process-state.js';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'weft-guard-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** A process that spawns `sh -c script` guarded; the script prints pids; then the process is killed with SIGKILL. */
async function killParentOf(script: string, group: boolean): Promise<readonly number[]> {
  const file = join(directory, 'parent.ts');
  const guard = resolve(import.meta.dirname, '../../../src/lib/guard.ts');
  writeFileSync(
    file,
    `import { spawnGuarded } from ${JSON.stringify(guard)};
     spawnGuarded('/bin/sh', ['-c', ${JSON.stringify(script)}], { group: ${group}, stdio: ['ignore', 'inherit', 'ignore'] });
     setTimeout(() => console.log('up'), 500);
     setInterval(() => {}, 1000);`,
  );
  const parent = spawn(process.execPath, ['--import', 'tsx', file], { stdio: ['ignore', 'pipe', 'inherit'] });
  const pids = await new Promise<readonly number[]>((done, fail) => {
    let text = '';
    parent.stdout.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      const words = text.split(/\s+/).filter((word) => word !== '');
      if (text.endsWith('up\n')) done(words.slice(0, -1).map(Number));
    });
    parent.once('exit', () => fail(new Error('the parent ended by itself')));
  });
  expect(pids.every(isRunning)).toBe(true);
  parent.removeAllListeners('exit');
  parent.kill('SIGKILL');
  return pids;
}

describe('a guarded child', () => {
  it('does not outlive a parent that was killed with SIGKILL', async () => {
    const pids = await killParentOf('echo $$; exec sleep 600', false);
    await expect.poll(() => pids.filter(isRunning), { timeout: 5_000 }).toEqual([]);
  });

  it('takes its whole group along, SIGTERM or not', async () => {
    const pids = await killParentOf('trap "" TERM; sleep 600 & echo $$ $!; while :; do sleep 1; done', true);
    await expect.poll(() => pids.filter(isRunning), { timeout: 8_000 }).toEqual([]);
  });
});
