import type { PeerCertificate } from 'node:tls';

import { parseSpiffeId, type SpiffeIdentity } from '../../model/spiffe.js';

/** Any gRPC call, as far as its connection is concerned. */
export interface CallWithPeer {
  getAuthContext(): { readonly sslPeerCertificate?: PeerCertificate };
}

/** @returns the one SPIFFE identity that the call's client certificate has; undefined: none, several, or not of our form */
export function certifiedPeer(
  call: CallWithPeer,
): { readonly identity: SpiffeIdentity; readonly certificate: PeerCertificate } | undefined {
  const certificate = call.getAuthContext().sslPeerCertificate;
  // Node joins all names with ", " and quotes those that hold a comma: only a text of one name has this form.
  const [, uri] = /^URI:([^",]+)$/.exec(certificate?.subjectaltname ?? '') ?? [];
  const identity = uri === undefined ? undefined : parseSpiffeId(uri);
  return identity && certificate ? { identity, certificate } : undefined;
}
