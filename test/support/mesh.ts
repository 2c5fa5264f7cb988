import { readdirSync, readFileSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import { eventually } from './eventually.js';
import { type CliProcess, type CliWorld, createCliWorld } from './weft-cli.js';

/** A control plane, sidecars and apps of one test: real processes, apps in this one. */
export interface Mesh {
  readonly world: CliWorld;
  /** Starts the control plane (again), always on the same port. Resolves when it answers. */
  startControlPlane(): Promise<CliProcess>;
  /** Ends the control plane with SIGKILL. */
  killControlPlane(): Promise<void>;
  signalControlPlane(name: NodeJS.Signals): void;
  /** Starts a sidecar; does not wait for it. */
  sidecar(options: SidecarSpec): Promise<SidecarProcess>;
  /** Starts an app in this process. @returns its port */
  app(listener: RequestListener, port?: number): Promise<number>;
  close(): Promise<void>;
}

export interface SidecarSpec {
  readonly appId: string;
  /** Default 0: there is no app. */
  readonly appPort?: number;
  readonly door?: 'envoy' | 'service';
  readonly args?: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
}

export interface SidecarProcess {
  readonly cli: CliProcess;
  readonly httpPort: number;
  readonly grpcPort: number;
  /** `http://127.0.0.1:<port>`. */
  readonly api: string;
  /** Resolves when `/v1.0/healthz` says 204. */
  ready(): Promise<void>;
  /** Process ids of its Envoy; empty: none runs. */
  envoys(): readonly number[];
}

/** @param options further flags of the control plane. @returns a mesh whose control plane runs */
export async function createMesh(options: { readonly controlPlane?: readonly string[] } = {}): Promise<Mesh> {
  const world = await createCliWorld();
  const port = Number(world.controlPlane.split(':')[1]);
  const apps: Server[] = [];
  let controlPlane: CliProcess | undefined;
  const startControlPlane = async () => {
    const cli = world.weft([
      'control-plane',
      '--port',
      String(port),
      '--http-port',
      String(port + 1),
      ...(options.controlPlane ?? []),
    ]);
    await cli.until(/control plane ready/);
    controlPlane = cli;
    return cli;
  };
  await startControlPlane();
  return {
    world,
    startControlPlane,
    async killControlPlane() {
      controlPlane?.signal('SIGKILL');
      await controlPlane?.exit();
    },
    signalControlPlane: (name) => controlPlane?.signal(name),
    sidecar: (options) => startSidecar(world, options),
    async app(listener, at = 0) {
      const server = createServer((request, response) => {
        // What sidecars ask at the start; these apps host and subscribe to nothing.
        if (request.url?.startsWith('/dapr/')) response.writeHead(404).end();
        else listener(request, response);
      });
      await new Promise<void>((resolve) => server.listen(at, '127.0.0.1', resolve));
      apps.push(server);
      return (server.address() as { port: number }).port;
    },
    async close() {
      for (const server of apps) {
        server.closeAllConnections();
        server.close();
      }
      await world.close();
    },
  };
}

async function startSidecar(world: CliWorld, { appId, appPort = 0, door, args = [], env }: SidecarSpec): Promise<SidecarProcess> {
  const [httpPort, grpcPort] = [await world.port(), await world.port()];
  const ports = ['--dapr-http-port', String(httpPort), '--dapr-grpc-port', String(grpcPort)];
  const choice = door ? ['--api-door', door] : [];
  const all = ['sidecar', '--app-id', appId, '--app-port', String(appPort), ...ports, ...choice, ...args];
  const cli = world.weft(all, env ? { env } : {});
  const api = `http://127.0.0.1:${httpPort}`;
  return {
    cli,
    httpPort,
    grpcPort,
    api,
    ready: () => untilStatus(`${api}/v1.0/healthz`, 204, cli),
    envoys: () => childrenOf(cli.pid).filter((pid) => commandOf(pid).includes('envoy.json')),
  };
}

/** @throws with the process's output when `url` does not answer with `status` in 20 s */
export async function untilStatus(url: string, status: number, cli: CliProcess): Promise<void> {
  await eventually(async () => {
    const seen = await fetch(url).then(
      async (response) => {
        await response.arrayBuffer();
        return response.status;
      },
      (error: Error) => error.message,
    );
    if (seen !== status) throw new Error(`${url}: ${seen} in place of ${status}; the output was:\n${cli.text()}`);
  }, 20_000);
}

function childrenOf(parent: number): readonly number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => new RegExp(`\\) \\S ${parent} `).test(read(`/proc/${pid}/stat`)));
}

const commandOf = (pid: number): string => read(`/proc/${pid}/cmdline`).replaceAll('\0', ' ');

/** @returns '' when the process has ended meanwhile */
function read(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}

/** Calls `url` again and again until `stop` is called. @returns how many answers were good, and what the others were */
export function traffic(
  url: string,
  callers = 3,
): { stop(): Promise<{ readonly good: number; readonly bad: readonly string[] }> } {
  let running = true;
  let good = 0;
  const bad: string[] = [];
  const worker = async () => {
    while (running) {
      try {
        const response = await fetch(url);
        const text = await response.text();
        if (response.status === 200) good += 1;
        else bad.push(`${response.status} ${text}`);
      } catch (error) {
        bad.push(String((error as Error).cause ?? error));
      }
    }
  };
  const workers = Array.from({ length: callers }, worker);
  return {
    async stop() {
      running = false;
      await Promise.all(workers);
      return { good, bad };
    },
  };
}
