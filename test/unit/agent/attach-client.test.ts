import { Server as GrpcServer, type Server, ServerCredentials, type ServerDuplexStream } from '@grpc/grpc-js';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type AttachClient, startAttachClient } from '../../../src/agent/attach-client.js';
import { type ControlPlaneChannel, openControlPlaneChannel } from '../../../src/agent/control-plane-channel.js';
import { UsageError } from '../../../src/errors.js';
import {
  type AttachRequest,
  type AttachResponse,
  Instance,
  type LocalFiles,
  RegistryService,
} from '../../../src/gen/weft/registry/v1/registry.js';
import { silentLogger } from '../../../src/telemetry/logger.js';
import { eventually } from '../../support/eventually.js';
import { freePort } from '../../support/ports.js';

type Call = ServerDuplexStream<AttachRequest, AttachResponse>;
const HEARTBEAT_MS = 20;
const TTL_MS = 300;

let server: Server;
let port: number;
let channel: ControlPlaneChannel;
let client: AttachClient | undefined;
/** What arrived, all streams together: instances by their actor types, other events by name. */
let seen: string[];
let streams: Call[];
/** The numbers of the instances that arrived. */
let sequences: number[];
/** How the registry answers an event; undefined: not at all. */
let answer: (event: NonNullable<AttachRequest['event']>) => AttachResponse['event'];

const accepted = { $case: 'accepted', value: { heartbeatMs: HEARTBEAT_MS, leaseTtlMs: TTL_MS, controlPlaneId: 'x' } } as const;
const orderly: typeof answer = (event) => {
  if (event.$case === 'instance') return accepted;
  if (event.$case === 'withdraw') return { $case: 'withdrawn', value: {} };
  return { $case: 'heartbeatAck', value: { sequence: event.value.sequence } };
};

async function listen(): Promise<void> {
  server = new GrpcServer();
  server.addService(RegistryService, {
    attach: (call: Call) => {
      streams.push(call);
      call.on('error', () => {});
      call.on('end', () => call.end());
      call.on('data', ({ event, instanceSequence }: AttachRequest) => {
        if (!event) return;
        if (event.$case === 'instance') sequences.push(instanceSequence);
        if (event.$case !== 'heartbeat')
          seen.push(event.$case === 'instance' ? `instance:${event.value.actorTypes}` : event.$case);
        const reply = answer(event);
        if (reply) call.write({ event: reply });
      });
    },
  });
  const address = `127.0.0.1:${port}`;
  await new Promise<void>((resolve, reject) =>
    server.bindAsync(address, ServerCredentials.createInsecure(), (error) => (error ? reject(error) : resolve())),
  );
}

beforeEach(async () => {
  [seen, streams, sequences, answer] = [[], [], [], orderly];
  port = await freePort();
  await listen();
  channel = openControlPlaneChannel(`127.0.0.1:${port}`);
});
afterEach(() => {
  client?.close();
  channel.close();
  server.forceShutdown();
});

const start = (localFiles?: LocalFiles) => {
  client = startAttachClient({ channel, instance: Instance.fromPartial({ appId: 'orders', localFiles }), logger: silentLogger });
  return client;
};

it('holds a lease that heartbeats renew and that ends by itself when they are not acknowledged', async () => {
  const attach = start();
  await attach.accepted;
  const first = attach.leaseValidUntil();
  expect(first).toBeLessThanOrEqual(performance.now() + TTL_MS);
  await eventually(() => expect(attach.leaseValidUntil()).toBeGreaterThan(first + HEARTBEAT_MS));
  answer = () => undefined;
  const last = attach.leaseValidUntil();
  await eventually(() => expect(performance.now()).toBeGreaterThan(last + HEARTBEAT_MS));
  expect(attach.leaseValidUntil()).toBeLessThan(performance.now());
});

it('gives a silent registry up after one lease and attaches anew', async () => {
  const attach = start();
  await attach.accepted;
  answer = (event) => (event.$case === 'instance' ? accepted : undefined);
  await eventually(() => expect(streams.length).toBeGreaterThan(1));
  expect(seen.filter((event) => event.startsWith('instance')).length).toBeGreaterThan(1);
});

it('sends changes at once, and the newest instance after the registry was away', async () => {
  const attach = start();
  await attach.accepted;
  attach.update({ actorTypes: ['Cart'] });
  await eventually(() => expect(seen).toEqual(['instance:', 'instance:Cart']));
  server.forceShutdown();
  attach.update({ actorTypes: ['Cart', 'Order'] });
  await listen();
  await eventually(() => expect(seen.at(-1)).toBe('instance:Cart,Order'));
});

it('waits until an instance is published, also over a new stream, and no longer than it is told', async () => {
  const attach = start();
  await attach.accepted;
  await attach.publish({ actorTypes: ['Cart'] }, 30);
  let done = false;
  const published = attach.publish({ actorTypes: ['Cart', 'Order'] }, 60_000).then(() => {
    done = true;
  });
  await eventually(() => expect(sequences).toEqual([1, 2, 3]));
  streams[0]?.write({ event: { $case: 'published', value: { instanceSequence: 2 } } });
  server.forceShutdown();
  await listen();
  await eventually(() => expect(sequences.at(-1)).toBe(4));
  expect(done).toBe(false);
  streams.at(-1)?.write({ event: { $case: 'published', value: { instanceSequence: 4 } } });
  await published;
});

it('stops for good on a final refusal, which is a mistake with a remedy', async () => {
  answer = () => ({ $case: 'rejected', value: { problems: ['a.yaml: wrong', 'b.yaml: wrong'], final: true } });
  const attach = start();
  await expect(attach.accepted).rejects.toEqual(new UsageError('a.yaml: wrong; b.yaml: wrong'));
  await expect(attach.refused).rejects.toBeInstanceOf(UsageError);
  expect(streams).toHaveLength(1);
});

it('waits until it is withdrawn, and does not come back when the registry goes', async () => {
  const attach = start();
  await attach.accepted;
  await attach.withdraw(5000);
  expect(seen.at(-1)).toBe('withdraw');
  attach.update({ actorTypes: ['Late'] });
  server.forceShutdown();
  await listen();
  await new Promise((resolve) => setTimeout(resolve, 200));
  expect(seen.at(-1)).toBe('withdraw');
});

it('waits for the withdrawal no longer than it was told', async () => {
  const attach = start();
  await attach.accepted;
  answer = (event) => (event.$case === 'withdraw' ? undefined : orderly(event));
  const before = performance.now();
  await attach.withdraw(100);
  expect(performance.now() - before).toBeGreaterThanOrEqual(95);
});

it('goes on only when the control plane says that its listeners check the tokens', async () => {
  const localFiles = { apiTokenFilter: '/run/api-token.json', appTokenFilter: '' };
  // One of an older release takes the instance and says nothing of files (F13).
  await expect(start(localFiles).accepted).rejects.toThrow(/older than this sidecar and does not know apiTokenFilter.*update/);
  client?.close();
  answer = (event) => (event.$case === 'instance' ? { ...accepted, value: { ...accepted.value, localFiles } } : orderly(event));
  await start(localFiles).accepted;
});
