import { createHash } from 'node:crypto';
import type { ServerDuplexStream } from '@grpc/grpc-js';
import { Server, ServerCredentials } from '@grpc/grpc-js';
import type { TypedExtensionConfig } from '../../gen/envoy/config/core/v3/extension.js';
import { Secret } from '../../gen/envoy/extensions/transport_sockets/tls/v3/secret.js';
import { SPIFFECertValidatorConfig } from '../../gen/envoy/extensions/transport_sockets/tls/v3/tls_spiffe_validator_config.js';
import type { DiscoveryRequest, DiscoveryResponse } from '../../gen/envoy/service/discovery/v3/discovery.js';
import { SecretDiscoveryServiceService } from '../../gen/envoy/service/secret/v3/sds.js';
import { SDS_SECRETS } from '../../model/names.js';
import type { Logger } from '../../telemetry/logger.js';
import type { EarlySocket } from './early-socket.js';
import type { SvidSource } from './svid-source.js';

const SECRET_TYPE = 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret';

/**
 * Serves key, certificate and roots to this sidecar's own Envoy, over a Unix socket that only this user can open: the private key
 * never leaves the host. State-of-the-world SDS, since there are two secrets and both fit one message.
 */
export function startSdsServer(socket: EarlySocket, source: SvidSource, logger: Logger): { close(): void } {
  const server = new Server();
  const streams = new Set<() => void>();
  server.addService(SecretDiscoveryServiceService, {
    streamSecrets: (call: ServerDuplexStream<DiscoveryRequest, DiscoveryResponse>) => {
      const push = serveStream(call, source, logger);
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
  const stopListening = source.onChange(() => {
    for (const push of streams) push();
  });
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
  socket.serve((connection) => injector.injectConnection(connection));
  return {
    close() {
      stopListening();
      socket.close();
      server.forceShutdown();
      injector.destroy();
    },
  };
}

/** One Envoy stream. @returns pushes what changed since the last response */
function serveStream(
  call: ServerDuplexStream<DiscoveryRequest, DiscoveryResponse>,
  source: SvidSource,
  logger: Logger,
): () => void {
  let names: readonly string[] = [];
  let sent = '';
  let nonce = 0;
  const push = () => {
    const secrets = names.map((name) => secretOf(name, source)).filter((secret) => secret !== undefined);
    if (names.length === 0 || secrets.length < names.length) return;
    const version = versionOf(names, source);
    if (version === sent) return;
    sent = version;
    nonce += 1;
    const resources = secrets.map((secret) => ({ typeUrl: SECRET_TYPE, value: Buffer.from(Secret.encode(secret).finish()) }));
    call.write({
      versionInfo: version,
      resources,
      typeUrl: SECRET_TYPE,
      nonce: String(nonce),
      canary: false,
    } as unknown as DiscoveryResponse);
  };
  call.on('data', (request: DiscoveryRequest) => {
    if (request.errorDetail) logger.error('Envoy refused a certificate', { reason: request.errorDetail.message });
    const asked = [...request.resourceNames].sort();
    if (asked.join() !== names.join()) {
      names = asked;
      sent = '';
    }
    push();
  });
  return push;
}

/** A hash of the public parts: a new certificate always comes with a new key. */
function versionOf(names: readonly string[], source: SvidSource): string {
  const parts = [
    names.includes(SDS_SECRETS.identity) ? source.identity()?.chainPem : '',
    names.includes(SDS_SECRETS.roots) ? source.roots() : '',
  ];
  return createHash('sha256').update(parts.join('|')).digest('hex').slice(0, 16);
}

function secretOf(name: string, source: SvidSource): Secret | undefined {
  const identity = source.identity();
  const roots = source.roots();
  if (name === SDS_SECRETS.identity && identity) {
    const inline = (text: string) => ({ specifier: { $case: 'inlineString' as const, value: text } });
    const value = { certificateChain: inline(identity.chainPem), privateKey: inline(identity.privateKeyPem) };
    return Secret.fromPartial({ name, type: { $case: 'tlsCertificate', value } });
  }
  if (name === SDS_SECRETS.roots && identity && roots) {
    const value = { customValidatorConfig: spiffeValidator(identity.trustDomain, roots) };
    return Secret.fromPartial({ name, type: { $case: 'validationContext', value } });
  }
  return undefined;
}

/**
 * Envoy's own SPIFFE rules (X509-SVID §5.2), which its plain validator does not know: the leaf is no CA, may not sign certificates, and
 * its URI is in our trust domain.
 */
function spiffeValidator(trustDomain: string, rootsPem: string): TypedExtensionConfig {
  const trustBundle = { specifier: { $case: 'inlineString' as const, value: rootsPem } };
  const config = SPIFFECertValidatorConfig.fromPartial({ trustDomains: [{ name: trustDomain, trustBundle }] });
  return {
    name: 'envoy.tls.cert_validator.spiffe',
    typedConfig: {
      typeUrl: 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.SPIFFECertValidatorConfig',
      value: Buffer.from(SPIFFECertValidatorConfig.encode(config).finish()),
    },
  };
}
