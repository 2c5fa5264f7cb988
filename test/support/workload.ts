import { join } from 'node:path';
import { type Channel, type ChannelCredentials, Client } from '@grpc/grpc-js';
import { openControlPlaneChannel } from '../../src/agent/control-plane-channel.js';
import { svidCredentials } from '../../src/agent/identity/channel-credentials.js';
import { createSigningClient } from '../../src/agent/identity/signing-client.js';
import { startSvidSource } from '../../src/agent/identity/svid-source.js';
import { type AttachRequest, type Instance, RegistryClient } from '../../src/gen/weft/registry/v1/registry.js';
import { deferred } from '../../src/lib/async.js';
import { identitySocket } from '../../src/lib/identity-socket.js';
import { silentLogger } from '../../src/telemetry/logger.js';
import type { Leaf } from './certificates.js';
import { attachedInstance } from './instances.js';
import type { CliWorld } from './weft-cli.js';

/** A workload of the mesh without a sidecar: it has its certificate, and says to the registry what it likes. */
export interface Workload {
  readonly credentials: ChannelCredentials;
  readonly channel: Channel;
  /** Its certificate as it is now. */
  leaf(): Leaf;
  /** Attaches. Resolves when the registry has taken it. @throws Error with gRPC's words when it has not */
  attach(instance: Partial<Instance>): Promise<void>;
  close(): void;
}

/** @returns a workload with a certificate for `appId`, signed over the control plane's Unix socket */
export async function joinMesh(world: Pick<CliWorld, 'home' | 'controlPlane'>, appId: string): Promise<Workload> {
  const [host = '', port = ''] = world.controlPlane.split(':');
  const socket = identitySocket(join(world.home, 'control-plane'), host, Number(port));
  const signing = createSigningClient({ address: `unix:${socket}`, namespace: 'default', appId, instanceId: `${appId}-test` });
  const source = startSvidSource(signing, silentLogger);
  await source.ready;
  const credentials = svidCredentials(source);
  const { channel, close } = openControlPlaneChannel(world.controlPlane, credentials);
  const streams: { cancel(): void }[] = [];
  const timers: NodeJS.Timeout[] = [];
  return {
    credentials,
    channel,
    leaf: () => ({ cert: source.identity()?.chainPem ?? '', key: source.identity()?.privateKeyPem ?? '' }),
    async attach(instance) {
      const client = new RegistryClient(world.controlPlane, credentials, { channelOverride: channel });
      const stream = client.attach();
      streams.push(stream);
      const taken = deferred<void>();
      stream.on('data', ({ event }) => {
        if (event?.$case === 'accepted') taken.resolve();
        else if (event?.$case === 'rejected') taken.reject(new Error(event.value.problems.join('; ')));
      });
      stream.on('error', taken.reject);
      const value = attachedInstance({ appId, instanceId: `${appId}-test`, pid: process.pid, startedAtMs: 1, ...instance });
      stream.write({ event: { $case: 'instance', value }, instanceSequence: 0 } satisfies AttachRequest);
      await taken.promise;
      let sequence = 0;
      const beat = () => {
        const heartbeat: AttachRequest = { event: { $case: 'heartbeat', value: { sequence: ++sequence } }, instanceSequence: 0 };
        stream.write(heartbeat);
      };
      timers.push(setInterval(beat, 500).unref());
    },
    close() {
      for (const timer of timers) clearInterval(timer);
      for (const stream of streams) stream.cancel();
      close();
      source.close();
    },
  };
}

/** @returns a client on the workload's own connection */
export const clientOf = (workload: Workload, address: string): Client =>
  new Client(address, workload.credentials, { channelOverride: workload.channel });
