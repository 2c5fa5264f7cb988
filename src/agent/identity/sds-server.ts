import { Server, ServerCredentials, type ServerDuplexStream } from '@grpc/grpc-js';
import { Secret } from '../../gen/envoy/extensions/transport_sockets/tls/v3/secret.js';
import { type DiscoveryRequest, type DiscoveryResponse, Resource } from '../../gen/envoy/service/discovery/v3/discovery.js';
import { SecretDiscoveryServiceService } from '../../gen/envoy/service/secret/v3/sds.js';
import type { Logger } from '../../telemetry/logger.js';
import type { EarlySocket } from './early-socket.js';

const RESOURCE_TYPE = 'type.googleapis.com/envoy.service.discovery.v3.Resource';
const SECRET_TYPE = 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret';

/** Some of the secrets that an Envoy may ask its sidecar for. */
export interface SecretSource {
  /**
   * @returns undefined: there is none of that name, or not yet; Envoy waits. Without a `secret`: it cannot be had, Envoy goes on without it.
   * `version` tells one content from another, and nothing about it
   */
  find(name: string): { readonly secret: Secret | undefined; readonly version: string } | undefined;
  /** @returns stop listening */
  onChange(listener: () => void): () => void;
}

export interface SdsServer {
  /** From now on secrets of `source` are served as well. */
  add(source: SecretSource): void;
  close(): void;
}

/**
 * Serves secrets to this sidecar's own Envoy, over a Unix socket that only this user can open: they never leave the host. State-of-the-world
 * SDS, since Envoy opens a stream for each secret.
 */
export function startSdsServer(socket: EarlySocket, logger: Logger): SdsServer {
  const server = new Server();
  const sources: SecretSource[] = [];
  const streams = new Set<() => void>();
  server.addService(SecretDiscoveryServiceService, {
    streamSecrets: (call: ServerDuplexStream<DiscoveryRequest, DiscoveryResponse>) => {
      const push = serveStream(call, sources, logger);
      streams.add(push);
      const gone = () => streams.delete(push);
      call.on('end', () => {
        gone();
        call.end();
      });
      call.on('error', gone);
      call.on('cancelled', gone);
    },
  } as never);
  const pushAll = () => {
    for (const push of streams) push();
  };
  const stops: (() => void)[] = [];
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
  socket.serve((connection) => injector.injectConnection(connection));
  return {
    add(source) {
      sources.push(source);
      stops.push(source.onChange(pushAll));
      pushAll();
    },
    close() {
      for (const stop of stops) stop();
      socket.close();
      server.forceShutdown();
      injector.destroy();
    },
  };
}

const resourceOf = (secret: Secret) => ({ typeUrl: SECRET_TYPE, value: Buffer.from(Secret.encode(secret).finish()) });

/**
 * Under the name that was asked for, a secret of another: Envoy refuses it, and with that its wait is over. An answer without the name would
 * be taken for one that says nothing about it.
 */
const nothingFor = (name: string) => ({
  typeUrl: RESOURCE_TYPE,
  value: Buffer.from(Resource.encode(Resource.fromPartial({ name, resource: resourceOf(Secret.fromPartial({})) })).finish()),
});

/** One Envoy stream. @returns pushes what changed since the last response */
function serveStream(
  call: ServerDuplexStream<DiscoveryRequest, DiscoveryResponse>,
  sources: readonly SecretSource[],
  logger: Logger,
): () => void {
  let names: readonly string[] = [];
  let sent = '';
  let nonce = 0;
  /** Nonces of answers that Envoy is to refuse. */
  const missing = new Set<string>();
  const push = () => {
    const found = names.flatMap((name) => findIn(sources, name) ?? []);
    if (names.length === 0 || found.length < names.length) return;
    const version = found.map((it) => it.version).join();
    if (version === sent) return;
    sent = version;
    nonce += 1;
    if (found.some(({ secret }) => !secret)) missing.add(String(nonce));
    const resources = found.map(({ secret }, at) => (secret ? resourceOf(secret) : nothingFor(names[at] ?? '')));
    call.write({
      versionInfo: version,
      resources,
      typeUrl: SECRET_TYPE,
      nonce: String(nonce),
      canary: false,
    } as unknown as DiscoveryResponse);
  };
  call.on('data', (request: DiscoveryRequest) => {
    const expected = missing.delete(request.responseNonce);
    if (request.errorDetail && !expected)
      logger.error('Envoy refused a secret', { name: names.join(), reason: request.errorDetail.message });
    const asked = [...request.resourceNames].sort();
    if (asked.join() !== names.join()) {
      names = asked;
      sent = '';
    }
    push();
  });
  return push;
}

function findIn(sources: readonly SecretSource[], name: string) {
  for (const source of sources) {
    const found = source.find(name);
    if (found) return found;
  }
  return undefined;
}
