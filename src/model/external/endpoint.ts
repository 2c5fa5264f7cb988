import { isIP } from 'node:net';

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
  /** PEM; undefined: the CAs that the sidecar's system trusts. */
  readonly rootCa: string | undefined;
  readonly client: { readonly certificate: string; readonly privateKey: string } | undefined;
  readonly allowRenegotiation: boolean;
}

export interface ExternalHeader {
  readonly name: string;
  readonly from: { readonly value: string } | { readonly env: string };
}

/** `spec` of an HTTPEndpoint, checked by its schema. */
export interface HttpEndpointSpec {
  readonly baseUrl: string;
  readonly headers?: readonly { readonly name: string; readonly value?: string | number | boolean; readonly envRef?: string }[];
  readonly clientTLS?: {
    readonly rootCA?: { readonly value?: string };
    readonly certificate?: { readonly value?: string };
    readonly privateKey?: { readonly value?: string };
    readonly renegotiation?: 'Never' | 'OnceAsClient' | 'FreelyAsClient';
  };
}

const DEFAULT_PORT = { 'http:': 80, 'https:': 443 } as const;

/** @returns the endpoint of a resource that its schema has taken */
export function externalEndpoint(resource: {
  readonly name: string;
  readonly namespace: string;
  readonly spec: unknown;
}): ExternalEndpoint {
  const { baseUrl, headers = [], clientTLS = {} } = resource.spec as HttpEndpointSpec;
  const url = new URL(baseUrl);
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const certificate = clientTLS.certificate?.value;
  const privateKey = clientTLS.privateKey?.value;
  const tls: ExternalTls = {
    serverName: host,
    isAddress: isIP(host) !== 0,
    rootCa: clientTLS.rootCA?.value,
    client: certificate && privateKey ? { certificate, privateKey } : undefined,
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
    headers: headers.map(({ name, value, envRef }) => ({
      name: name.toLowerCase(),
      from: envRef ? { env: envRef } : { value: String(value ?? '') },
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
