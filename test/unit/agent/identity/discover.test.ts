import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createH2 } from 'node:http2';
import type { AddressInfo, Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer as createTls } from 'node:tls';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { findIdentityService } from '../../../../src/agent/identity/discover.js';
import { sleep } from '../../../../src/lib/async.js';
import { identitySocket } from '../../../../src/lib/identity-socket.js';
import { silentLogger } from '../../../../src/telemetry/logger.js';
import { freePort } from '../../../support/ports.js';

let home: string;
const servers: Server[] = [];
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'weft-disc-'));
  mkdirSync(join(home, 'control-plane'));
  vi.stubEnv('WEFT_HOME', home);
});
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
  vi.unstubAllEnvs();
  rmSync(home, { recursive: true, force: true });
});

async function listen(server: Server, port = 0): Promise<string> {
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  servers.push(server);
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const find = (controlPlaneAddress: string, more: object = {}) =>
  findIdentityService({ controlPlaneAddress, requireMtls: false, ...more }, silentLogger, AbortSignal.timeout(5000));

const socketOf = (address: string) => identitySocket(join(home, 'control-plane'), '127.0.0.1', Number(address.split(':')[1]));

it('finds the socket of the same user, although the control plane is away', async () => {
  const address = `127.0.0.1:${await freePort()}`;
  writeFileSync(socketOf(address), '');
  expect(await find(address)).toBe(`unix:${socketOf(address)}`);
});

it('does without mTLS where a control plane answers in plain text and has no socket', async () => {
  expect(await find(await listen(createH2()))).toBeUndefined();
});

it('does not do without it when it was asked for', async () => {
  await expect(find(await listen(createH2()), { requireMtls: true })).rejects.toThrow(/has no mTLS/);
});

it('says what is missing when the control plane wants TLS and its socket is elsewhere', async () => {
  await expect(find(await listen(createTls()))).rejects.toThrow(/wants a certificate.*--join-token/);
});

it('waits for a control plane that is not there yet', async () => {
  const port = await freePort();
  const found = find(`127.0.0.1:${port}`);
  await sleep(200);
  const address = await listen(createH2(), port);
  expect(await found).toBeUndefined();
  writeFileSync(socketOf(address), '');
  expect(await find(address)).toBe(`unix:${socketOf(address)}`);
});

it('ends when it is told to', async () => {
  const stop = AbortSignal.timeout(100);
  const waiting = findIdentityService(
    { controlPlaneAddress: `127.0.0.1:${await freePort()}`, requireMtls: false },
    silentLogger,
    stop,
  );
  await expect(waiting).rejects.toThrow(/timeout/);
});
