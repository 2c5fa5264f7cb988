import { isIP } from 'node:net';
import { isEmpty, lastOfEach, secretNames } from './endpoint-secrets.js';
import type { HttpEndpointResource, HttpEndpointSpec } from './spec.js';

/** An external service as callers reach it: an HTTPEndpoint (reference §4.5), with its URL taken apart. */
export interface ExternalEndpoint {
  readonly name: string;
  /** '' when the resource names none. */
  readonly namespace: string;
  readonly host: string;
  readonly port: number;
  readonly tls: ExternalTls | undefined;
  /** What stands before a method's path: '' or `/path` without a slash at its end. */
  readonly basePath: string;
  /** `Host` as the service expects it. */
  readonly authority: string;
  readonly headers: readonly ExternalHeader[];
}

export interface ExternalTls {
  /** Sent as SNI, and checked against the certificate; an address is only checked. */
  readonly serverName: string;
  readonly isAddress: boolean;
  /** undefined: the CAs that the sidecar's system trusts. */
  readonly rootCa: { readonly pem: string } | { readonly secret: string } | undefined;
  /** Under which name Envoy finds certificate and key at its sidecar. */
  readonly client: { readonly secret: string } | undefined;
  readonly allowRenegotiation: boolean;
}

export interface ExternalHeader {
  readonly name: string;
  /** Under which name Envoy finds the value at its sidecar; undefined: the value is empty. */
  readonly secret: string | undefined;
}

const DEFAULT_PORT = { 'http:': 80, 'https:': 443 } as const;

/** @returns the endpoint of a resource that its schema has taken */
export function externalEndpoint(resource: HttpEndpointResource): ExternalEndpoint {
  const { baseUrl, headers = [], clientTLS = {} } = resource.spec as HttpEndpointSpec;
  const url = new URL(baseUrl);
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const names = secretNames(resource);
  const { rootCA } = clientTLS;
  const tls: ExternalTls = {
    serverName: host,
    isAddress: isIP(host) !== 0,
    rootCa: rootCA && (rootCA.secretKeyRef ? { secret: names.rootCa } : { pem: String(rootCA.value) }),
    client: clientTLS.certificate && { secret: names.client },
    allowRenegotiation: (clientTLS.renegotiation ?? 'Never') !== 'Never',
  };
  return {
    name: resource.name,
    namespace: resource.namespace,
    host,
    port: url.port === '' ? DEFAULT_PORT[url.protocol as 'http:'] : Number(url.port),
    tls: url.protocol === 'https:' ? tls : undefined,
    basePath: url.pathname.replace(/\/+$/, ''),
    authority: url.host,
    headers: lastOfEach(headers).map((header) => ({
      name: header.name,
      secret: isEmpty(header) ? undefined : names.header(header.name),
    })),
  };
}

/** @returns every spelling of the endpoint's origin that may stand in the place of an app id, as Envoy leaves it in a path or a header */
export function originSpellings({ tls, host, port, authority }: ExternalEndpoint): {
  readonly inPath: readonly string[];
  readonly inHeader: readonly string[];
} {
  const scheme = tls ? 'https' : 'http';
  const explicit = `${host.includes(':') ? `[${host}]` : host}:${port}`;
  const authorities = [...new Set([authority, explicit])];
  const inHeader = authorities.map((it) => `${scheme}://${it}`);
  const inPath = inHeader.flatMap((origin) => {
    const encoded = encodeURIComponent(origin);
    // Double slashes are merged before a path is looked at.
    return [
      origin.replace('//', '/'),
      encoded,
      encoded.replace(/%../g, (code) => code.toLowerCase()),
      origin.replace('//', '%2F%2F'),
    ];
  });
  return { inPath: [...new Set(inPath)], inHeader };
}
