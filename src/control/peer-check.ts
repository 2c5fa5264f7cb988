import { type CallWithPeer, certifiedPeer } from './ca/peer.js';

/** Says why a call may not act for an app; undefined: it may. */
export type PeerCheck = (call: CallWithPeer, app: { readonly namespace: string; readonly appId: string }) => string | undefined;

/** Without mTLS of ours nobody can prove anything. */
export const anyPeer: PeerCheck = () => undefined;

/** @returns a check that the call's client certificate is the app's own: a proxy reads its own app's resources and no others */
export const certifiedPeerOnly =
  (trustDomain: string): PeerCheck =>
  (call, { namespace, appId }) => {
    const peer = certifiedPeer(call)?.identity;
    if (!peer || peer.trustDomain !== trustDomain) return `a certificate of trust domain ${trustDomain} is needed`;
    if (peer.namespace === namespace && peer.appId === appId) return undefined;
    return `the certificate is of ${peer.namespace}/${peer.appId}, not of ${namespace}/${appId}`;
  };
