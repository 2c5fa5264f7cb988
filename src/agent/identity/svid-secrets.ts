import { createHash } from 'node:crypto';
import type { TypedExtensionConfig } from '../../gen/envoy/config/core/v3/extension.js';
import { Secret } from '../../gen/envoy/extensions/transport_sockets/tls/v3/secret.js';
import { SPIFFECertValidatorConfig } from '../../gen/envoy/extensions/transport_sockets/tls/v3/tls_spiffe_validator_config.js';
import { SDS_SECRETS } from '../../model/names.js';
import type { SecretSource } from './sds-server.js';
import type { SvidSource } from './svid-source.js';

/** @returns key, certificate and roots of this workload, as Envoy takes them */
export const svidSecrets = (source: SvidSource): SecretSource => ({
  find(name) {
    const secret = secretOf(name, source);
    return secret && { secret, version: versionOf(name, source) };
  },
  onChange: source.onChange,
});

/** A hash of the public parts: a new certificate always comes with a new key. */
function versionOf(name: string, source: SvidSource): string {
  const part = name === SDS_SECRETS.identity ? source.identity()?.chainPem : source.roots();
  return createHash('sha256')
    .update(part ?? '')
    .digest('hex')
    .slice(0, 16);
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
