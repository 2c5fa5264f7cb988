import { once } from 'node:events';
import { join } from 'node:path';
import { withDeadline } from '../src/lib/async.js';
import { startProcess } from './process.js';
import type { BenchApp, LoadResult, Topology } from './types.js';

interface Answer {
  readonly id: number;
  readonly value: unknown;
}

let sequence = 0;

/** Starts the app under test; it listens when this resolves. */
export async function startApp(role: Topology['appRole'], workDir: string): Promise<BenchApp> {
  sequence += 1;
  const socketPath = join(workDir, `app-${sequence}.sock`);
  const started = await startProcess({
    name: `app-${role}`,
    command: process.execPath,
    args: ['--import', import.meta.resolve('tsx'), join(import.meta.dirname, 'app', 'main.ts'), role, socketPath],
    workDir,
    ipc: true,
  });
  const waiting = new Map<number, (value: unknown) => void>();
  const ended = once(started.child, 'exit').then(() => Promise.reject(new Error(`the app under test ended: ${started.tail()}`)));
  ended.catch(() => {});
  const answer = <T>(id: number, ms: number) => {
    const reply = new Promise<T>((resolve) => waiting.set(id, resolve as (value: unknown) => void));
    return withDeadline(Promise.race([reply, ended]), ms, `app (see ${started.logFile})`);
  };
  started.child.on('message', ({ id, value }: Answer) => waiting.get(id)?.(value));
  const ports = await answer<{ httpPort: number; grpcPort: number }>(0, 15_000);
  let command = 0;
  const ask = <T>(what: object, ms: number) => {
    command += 1;
    const reply = answer<T>(command, ms);
    started.child.send({ id: command, ...what });
    return reply;
  };
  return {
    pid: started.pid,
    ...ports,
    socketPath,
    served: () => ask<number>({ do: 'served' }, 5_000),
    publish: (run) => ask<LoadResult>({ do: 'publish', ...run }, run.seconds * 1000 + 15_000),
    stop: () => started.stop(),
  };
}
