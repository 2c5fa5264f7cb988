import { once } from 'node:events';
import { createWriteStream, mkdirSync, readFileSync } from 'node:fs';
import { request } from 'node:http';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { sleep } from '../src/lib/async.js';
import { type GuardedChild, spawnGuarded } from '../src/lib/guard.js';

export interface StartedProcess extends GuardedChild {
  readonly pid: number;
  readonly logFile: string;
  /** @returns the last lines that the process wrote, for an error message */
  tail(): string;
  /** SIGTERM, after 8 s SIGKILL. */
  stop(): Promise<void>;
}

export interface ProcessSpec {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly workDir: string;
  readonly ipc?: boolean;
}

const STOP_MS = 8_000;
const alive = new Set<StartedProcess>();
// A proxy from the environment must not come between processes of one machine.
const NO_PROXY = ['http_proxy', 'https_proxy', 'HTTP_PROXY', 'HTTPS_PROXY'];
let sequence = 0;

/** Starts a process whose output goes to a file below `workDir`. @throws Error when the command cannot be started */
export async function startProcess(spec: ProcessSpec): Promise<StartedProcess> {
  mkdirSync(spec.workDir, { recursive: true });
  sequence += 1;
  const logFile = join(spec.workDir, `${sequence}-${spec.name}.log`);
  const log = createWriteStream(logFile);
  const env = Object.fromEntries(Object.entries(process.env).filter(([key]) => !NO_PROXY.includes(key)));
  const guarded = spawnGuarded(spec.command, spec.args, {
    // A session of its own for everyone, as Weft's Envoy has it: Linux shares the CPUs out by session first (autogroup).
    group: true,
    cwd: spec.workDir,
    env: { ...env, ...spec.env },
    stdio: ['ignore', 'pipe', 'pipe', ...(spec.ipc ? (['ipc'] as const) : [])],
  });
  const { child } = guarded;
  child.stdout?.pipe(log, { end: false });
  child.stderr?.pipe(log, { end: false });
  await Promise.race([once(child, 'spawn'), once(child, 'error').then(([error]) => Promise.reject(error as Error))]);
  const gone = once(child, 'exit').then(() => {
    alive.delete(started);
    log.end();
  });
  const started: StartedProcess = {
    ...guarded,
    pid: child.pid as number,
    logFile,
    tail: () => readFileSync(logFile, 'utf8').trimEnd().split('\n').slice(-12).join('\n'),
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      guarded.signal('SIGTERM');
      await Promise.race([gone, sleep(STOP_MS)]);
      if (child.exitCode === null && child.signalCode === null) guarded.signal('SIGKILL');
    },
  };
  alive.add(started);
  return started;
}

/** Stops every process that was started and still runs, all at once. */
export async function stopEverything(): Promise<void> {
  await Promise.all([...alive].map((started) => started.stop().catch(() => {})));
}

/** Stops what `parts` holds in reverse order, whatever fails. */
export async function stopAll(parts: readonly { stop(): Promise<void> }[]): Promise<void> {
  for (const part of [...parts].reverse()) await part.stop().catch(() => {});
}

/** @returns `count` TCP ports of 127.0.0.1 that were free a moment ago, all different */
export async function freePorts(count: number): Promise<readonly number[]> {
  const servers: Server[] = [];
  for (let index = 0; index < count; index++) {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    servers.push(server);
  }
  const ports = servers.map((server) => (server.address() as { port: number }).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

export interface SimpleRequest {
  readonly port: number;
  readonly path: string;
  readonly method?: string;
  readonly body?: string;
}

/** @returns status and body of one request on a connection of its own; status 0 when there was no answer */
export function ask({ port, path, method = 'GET', body }: SimpleRequest): Promise<{ status: number; body: string }> {
  return new Promise((resolve) => {
    const call = request({
      host: '127.0.0.1',
      port,
      path,
      method,
      agent: false,
      timeout: 5_000,
      headers: body === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) },
    });
    call.on('timeout', () => call.destroy(new Error('timeout')));
    call.on('error', (error) => resolve({ status: 0, body: error.message }));
    call.on('response', (reply) => {
      let text = '';
      reply.setEncoding('utf8');
      reply.on('data', (chunk: string) => {
        text += chunk;
      });
      reply.on('end', () => resolve({ status: reply.statusCode ?? 0, body: text }));
      reply.on('error', () => resolve({ status: 0, body: 'reply broke off' }));
    });
    call.end(body);
  });
}

export interface WaitOptions {
  readonly deadlineMs: number;
  readonly everyMs: number;
  /** The process whose early end makes waiting pointless. */
  readonly process?: StartedProcess;
}

/** Asks until the answer is a success (2xx). @throws Error with the last answer and the process's last lines */
export async function waitFor(call: SimpleRequest, { deadlineMs, everyMs, process: started }: WaitOptions): Promise<void> {
  const end = performance.now() + deadlineMs;
  for (;;) {
    const { status, body } = await ask(call);
    if (status >= 200 && status < 300) return;
    const dead = started && started.child.exitCode !== null;
    if (dead || performance.now() > end) {
      const what = `${call.method ?? 'GET'} ${call.path} on port ${call.port}: ${status} ${body.slice(0, 300)}`;
      throw new Error(`${dead ? 'process ended' : `no success within ${deadlineMs} ms`}: ${what}\n${started?.tail() ?? ''}`);
    }
    await sleep(everyMs);
  }
}
