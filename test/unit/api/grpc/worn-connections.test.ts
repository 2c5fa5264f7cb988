import { createServer, type Server, type Socket } from 'node:net';
import { type ClientUnaryCall, credentials, status } from '@grpc/grpc-js';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type ApiGrpcServer, createGrpcServer } from '../../../../src/api/grpc/server.js';
import { DaprClient } from '../../../../src/gen/dapr/proto/runtime/v1/dapr.js';
import { GetStateRequest, GetStateResponse } from '../../../../src/gen/dapr/proto/runtime/v1/state.js';
import { silentLogger } from '../../../../src/telemetry/logger.js';
import { eventually } from '../../../support/eventually.js';

/** As at the service door: connections are accepted elsewhere and injected. Calls that wait are answered by `release`. */
let grpc: ApiGrpcServer;
let door: Server;
let client: DaprClient;
let sockets: Socket[];
let begun: number;
let release: () => void;

beforeEach(async () => {
  sockets = [];
  begun = 0;
  const waiting = new Promise<void>((resolve) => {
    release = resolve;
  });
  const getState = async (call: { request: GetStateRequest }, done: (error: null, value: GetStateResponse) => void) => {
    begun += 1;
    if (call.request.key !== 'quick') await waiting;
    done(null, GetStateResponse.fromPartial({ etag: call.request.key }));
  };
  grpc = createGrpcServer({ methods: [{ getState }], maxBodyBytes: 4_096, logger: silentLogger });
  door = createServer((socket) => {
    sockets.push(socket);
    grpc.inject(socket);
  });
  await new Promise<void>((resolve) => door.listen(0, '127.0.0.1', resolve));
  const { port } = door.address() as import('node:net').AddressInfo;
  client = new DaprClient(`127.0.0.1:${port}`, credentials.createInsecure());
});
afterEach(async () => {
  release();
  client.close();
  await grpc.close(100);
  for (const socket of sockets) socket.destroy();
  door.close();
});

type Outcome = { readonly code: status; readonly etag?: string };

function get(key: string): { readonly call: ClientUnaryCall; readonly ended: Promise<Outcome> } {
  let call!: ClientUnaryCall;
  const ended = new Promise<Outcome>((resolve) => {
    call = client.getState(GetStateRequest.fromPartial({ key }), (error, value) =>
      resolve(error ? { code: error.code } : { code: status.OK, etag: value.etag }),
    );
  });
  return { call, ended };
}

/** Begins `count` calls, cancels all of them when each has arrived, and waits for their ends. */
async function cancelled(count: number): Promise<readonly Outcome[]> {
  const before = begun;
  const calls = Array.from({ length: count }, () => get('slow'));
  await eventually(() => expect(begun).toBe(before + count));
  for (const { call } of calls) call.cancel();
  return Promise.all(calls.map(({ ended }) => ended));
}

it.each([50, 900])(
  'a call outlives calls of its channel that are cancelled, 3,600 in waves of %i',
  async (wave) => {
    const patient = get('patient');
    await eventually(() => expect(begun).toBe(1));
    for (let done = 0; done < 3_600; done += wave) {
      const outcomes = await cancelled(wave);
      expect(new Set(outcomes.map(({ code }) => code))).toEqual(new Set([status.CANCELLED]));
    }
    release();
    expect(await patient.ended).toEqual({ code: status.OK, etag: 'patient' });
    expect(await get('quick').ended).toEqual({ code: status.OK, etag: 'quick' });
  },
  60_000,
);

it('three thousand calls at once are answered on one connection', async () => {
  const calls = Array.from({ length: 3_000 }, () => get('slow'));
  await eventually(() => expect(begun).toBe(3_000));
  release();
  const outcomes = await Promise.all(calls.map(({ ended }) => ended));
  expect(outcomes.every(({ code }) => code === status.OK)).toBe(true);
  expect(sockets).toHaveLength(1);
}, 60_000);

it('three thousand calls that end as they should share one connection', async () => {
  for (let done = 0; done < 3_000; done += 100) {
    const outcomes = await Promise.all(Array.from({ length: 100 }, () => get('quick').ended));
    expect(outcomes.every(({ code }) => code === status.OK)).toBe(true);
  }
  expect(sockets).toHaveLength(1);
}, 60_000);
