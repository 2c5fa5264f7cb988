import { isIP } from 'node:net';
import { HttpUri } from '../../../../gen/envoy/config/core/v3/http_uri.js';
import { middlewareCluster } from '../../../../model/names.js';
import type { Resource } from '../../../resource.js';
import { outsideCluster } from '../../external.js';
import { duration } from '../../values.js';

const ANSWER_MS = 5000;

/** @returns the address of something that a filter asks for, at the cluster of its origin */
export const httpUri = (url: string): HttpUri =>
  HttpUri.fromPartial({
    uri: url,
    httpUpstreamType: { $case: 'cluster', value: middlewareCluster(new URL(url).origin) },
    timeout: duration(ANSWER_MS),
  });

/** @returns the cluster of a URL's origin; with https its certificate is checked by the host's name and the system's CAs */
export function originCluster(url: string): Resource {
  const { origin, protocol, hostname, port } = new URL(url);
  const host = hostname.replace(/^\[|\]$/g, '');
  const tls = { serverName: host, isAddress: isIP(host) !== 0, rootCa: undefined, client: undefined, allowRenegotiation: false };
  const isTls = protocol === 'https:';
  const where = { host, port: Number(port || (isTls ? 443 : 80)), tls: isTls ? tls : undefined };
  return outsideCluster(middlewareCluster(origin), where);
}
