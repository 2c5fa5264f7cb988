import { createServer, type Server } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { planApp } from '../../../../src/cli/run/plan.js';
import { choosePorts, claimPorts, freePort, isFree } from '../../../../src/cli/run/ports.js';

const open: Server[] = [];
afterEach(() => Promise.all(open.splice(0).map((server) => new Promise((done) => server.close(done)))));

async function occupy(): Promise<number> {
  const server = createServer();
  open.push(server);
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return (server.address() as { port: number }).port;
}

const plan = (appId: string, ports: { appPort?: number; daprHTTPPort?: number; daprGRPCPort?: number } = {}) =>
  planApp(ports, { appId, place: `weft.yaml: ${appId}`, directory: '/', sidecarLog: 'file' });

describe('ports of a run', () => {
  it('passes over what is taken or promised', async () => {
    const taken = await occupy();
    expect(await isFree(taken)).toBe(false);
    const promised = new Set<number>();
    const first = await freePort(taken, promised);
    const second = await freePort(taken, promised);
    expect(first).toBeGreaterThan(taken);
    expect(second).toBeGreaterThan(first);
  });

  it('gives every app two of its own, and keeps those that were asked for', async () => {
    const wanted = await freePort(23_500, new Set());
    const apps = [plan('a'), plan('b', { daprHTTPPort: wanted })];
    const ports = await choosePorts(apps, await claimPorts(apps));
    expect(ports[1]?.httpPort).toBe(wanted);
    expect(new Set(ports.flatMap(({ httpPort, grpcPort }) => [httpPort, grpcPort])).size).toBe(4);
  });

  it('refuses a port that another process has', async () => {
    const taken = await occupy();
    await expect(claimPorts([plan('a', { daprHTTPPort: taken })])).rejects.toThrow(
      `weft.yaml: a: HTTP port ${taken} is taken by another process`,
    );
  });

  it('refuses a port that is asked for twice', async () => {
    await expect(claimPorts([plan('a', { appPort: 6001 }), plan('b', { daprGRPCPort: 6001 })])).rejects.toThrow(
      'weft.yaml: b: gRPC port 6001 is given twice in this run',
    );
  });
});
