import type { PeerCertificate } from 'node:tls';
import { CONTROL_PLANE, parseSpiffeId } from '../../model/spiffe.js';

/** For TLS's server name: the control plane is known by its SPIFFE ID, wherever it listens, and an IP address may not stand there. */
export const CONTROL_PLANE_NAME = `${CONTROL_PLANE.appId}.${CONTROL_PLANE.namespace}`;

/** @returns why `certificate`, whose chain is checked already, is not the control plane's; undefined: it is */
export function isControlPlane({ subjectaltname }: PeerCertificate, trustDomain: string | undefined): Error | undefined {
  const [, uri] = /^URI:([^",]+)$/.exec(subjectaltname ?? '') ?? [];
  const peer = uri === undefined ? undefined : parseSpiffeId(uri);
  const isIt = peer?.namespace === CONTROL_PLANE.namespace && peer.appId === CONTROL_PLANE.appId;
  if (isIt && (trustDomain === undefined || peer.trustDomain === trustDomain)) return undefined;
  return new Error(`the other side is ${subjectaltname ?? 'nobody'}, not the control plane`);
}
