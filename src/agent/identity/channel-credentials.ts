import { type ChannelCredentials, experimental } from '@grpc/grpc-js';
import { isControlPlane } from './control-plane-peer.js';
import type { SvidSource } from './svid-source.js';

/**
 * @returns credentials that make each new connection with the certificate and roots of that moment; connections that are open stay open
 * over a rotation. They wait for the first certificate.
 */
export function svidCredentials(source: SvidSource): ChannelCredentials {
  const provider = providerOf(source);
  return experimental.createCertificateProviderChannelCredentials(provider, provider, {
    checkServerIdentity: (_host, certificate) => isControlPlane(certificate, source.identity()?.trustDomain),
  });
}

function providerOf(source: SvidSource): experimental.CertificateProvider {
  const onCa = new Set<experimental.CaCertificateUpdateListener>();
  const onIdentity = new Set<experimental.IdentityCertificateUpdateListener>();
  const ca = () => {
    const roots = source.roots();
    return roots === undefined ? undefined : { caCertificate: Buffer.from(roots) };
  };
  const identity = () => {
    const own = source.identity();
    return own && { certificate: Buffer.from(own.chainPem), privateKey: Buffer.from(own.privateKeyPem) };
  };
  const tell = <T>(listeners: Iterable<(update: T) => void>, update: T | undefined) => {
    if (update !== undefined) for (const listener of listeners) listener(update);
  };
  source.onChange(() => {
    tell(onCa, ca());
    tell(onIdentity, identity());
  });
  return {
    addCaCertificateListener(listener) {
      onCa.add(listener);
      tell([listener], ca());
    },
    removeCaCertificateListener: (listener) => void onCa.delete(listener),
    addIdentityCertificateListener(listener) {
      onIdentity.add(listener);
      tell([listener], identity());
    },
    removeIdentityCertificateListener: (listener) => void onIdentity.delete(listener),
  };
}
