import { createServer } from 'node:net';
import { UsageError } from '../../errors.js';
import type { AppPlan } from './plan.js';

/** @returns whether a server could listen on the port of the loopback address now */
export function isFree(port: number, host = '127.0.0.1'): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ port, host, exclusive: true }, () => server.close(() => resolve(true)));
  });
}

/**
 * @param taken ports that somebody has been promised; the result is added to it
 * @returns the first free port from `start` on
 */
export async function freePort(start: number, taken: Set<number>): Promise<number> {
  for (let port = start; port < start + 500 && port < 65_536; port += 1) {
    if (taken.has(port) || !(await isFree(port))) continue;
    taken.add(port);
    return port;
  }
  throw new UsageError(`no free port between ${start} and ${start + 499}; free one, or name one with its flag`);
}

export interface PlannedPorts {
  readonly httpPort: number;
  readonly grpcPort: number;
}

/**
 * @returns the ports that the apps ask for, which {@link choosePorts} then passes over
 * @throws UsageError when one of them is taken, or asked for twice
 */
export async function claimPorts(apps: readonly AppPlan[]): Promise<Set<number>> {
  const taken = new Set<number>();
  for (const { place, appPort } of apps) claim(taken, appPort, `${place}: app port`);
  for (const { place, httpPort, grpcPort } of apps) {
    for (const [port, what] of [
      [httpPort, 'HTTP port'],
      [grpcPort, 'gRPC port'],
    ] as const) {
      if (port === undefined) continue;
      claim(taken, port, `${place}: ${what}`);
      if (!(await isFree(port))) throw new UsageError(`${place}: ${what} ${port} is taken by another process`);
    }
  }
  return taken;
}

/** Gives every app its API ports: those that were asked for, else free ones from Dapr's defaults on. */
export async function choosePorts(apps: readonly AppPlan[], taken: Set<number>): Promise<readonly PlannedPorts[]> {
  const ports: PlannedPorts[] = [];
  for (const { httpPort, grpcPort } of apps)
    ports.push({
      httpPort: httpPort ?? (await freePort(3500, taken)),
      grpcPort: grpcPort ?? (await freePort(50_001, taken)),
    });
  return ports;
}

function claim(taken: Set<number>, port: number, what: string): void {
  if (port === 0) return;
  if (taken.has(port)) throw new UsageError(`${what} ${port} is given twice in this run`);
  taken.add(port);
}
