import type { Component } from '../../gen/weft/config/v1/config.js';
import { nearest } from '../../lib/suggest.js';
import { type MetadataReader, readMetadata } from './metadata.js';
import type { Middleware } from './types.js';

export const MIDDLEWARE_PREFIX = 'middleware.http.';

interface MiddlewareType {
  /** A call that goes by it is no harm: without it a pipeline still serves. */
  readonly harmless?: true;
  read(metadata: MetadataReader): Middleware;
}

const scopes = (metadata: MetadataReader) =>
  metadata
    .text('scopes', '')
    .split(/[\s,]+/)
    .filter(Boolean);

/** Envoy puts the token into Authorization and nowhere else. */
function onlyAuthorization(metadata: MetadataReader, name: string): void {
  if (metadata.text(name, 'authorization').toLowerCase() !== 'authorization')
    metadata.refuse(name, 'other headers than Authorization are not supported; set it to authorization or remove it');
}

const extProc = (metadata: MetadataReader, failOpen: boolean): Middleware => ({
  kind: 'ext-proc',
  timeoutMs: metadata.duration('timeout', EXT_PROC_TIMEOUT_MS),
  failOpen,
});
const EXT_PROC_TIMEOUT_MS = 1000;

/** Dapr's types, and our own. Metadata names are Dapr's. */
const TYPES: Readonly<Record<string, MiddlewareType>> = {
  'middleware.http.ratelimit': {
    read: (metadata) => ({ kind: 'rate-limit', perSecond: metadata.number('maxRequestsPerSecond', { above: 0, fallback: 100 }) }),
  },
  'middleware.http.bearer': {
    read: (metadata) => ({
      kind: 'bearer',
      issuer: metadata.text(metadata.has('issuerURL') ? 'issuerURL' : 'issuer'),
      audience: metadata.text(metadata.has('clientID') ? 'clientID' : 'audience'),
      jwksUrl: metadata.url('jwksURL', 'optional'),
    }),
  },
  'middleware.http.oauth2': {
    read(metadata) {
      metadata.secret('clientSecret');
      onlyAuthorization(metadata, 'authHeaderName');
      if (metadata.flag('forceHTTPS')) metadata.refuse('forceHTTPS', 'is not supported; write https into redirectURL');
      return {
        kind: 'oauth2',
        clientId: metadata.text('clientID'),
        authUrl: metadata.url('authURL') ?? '',
        tokenUrl: metadata.url('tokenURL') ?? '',
        redirectUrl: metadata.url('redirectURL') ?? '',
        scopes: scopes(metadata),
        pathFilter: metadata.regex('pathFilter', 'optional'),
      };
    },
  },
  'middleware.http.oauth2clientcredentials': {
    read(metadata) {
      metadata.secret('clientSecret');
      onlyAuthorization(metadata, 'headerName');
      if (!/^[01]$/.test(metadata.text('authStyle', '0')))
        metadata.refuse('authStyle', 'Envoy sends id and secret in the body and nowhere else; set it to 1 or remove it');
      if (metadata.text('endpointParamsQuery', '') !== '') metadata.refuse('endpointParamsQuery', 'is not supported; remove it');
      return {
        kind: 'client-credentials',
        clientId: metadata.text('clientID'),
        tokenUrl: metadata.url('tokenURL') ?? '',
        scopes: scopes(metadata),
        pathFilter: metadata.regex('pathFilter', 'optional'),
      };
    },
  },
  'middleware.http.routerchecker': {
    read: (metadata) => ({ kind: 'router-checker', rule: metadata.regex('rule') ?? '' }),
  },
  'middleware.http.compressor': {
    harmless: true,
    read: (metadata) => ({
      kind: 'compressor',
      minBytes: metadata.number('minContentLength', { above: 0, fallback: 1024 }),
      contentTypes: metadata.list('contentTypes'),
    }),
  },
  'middleware.http.routeralias': {
    read(metadata) {
      metadata.text('routes');
      return extProc(metadata, false);
    },
  },
  'middleware.http.uppercase': { harmless: true, read: (metadata) => extProc(metadata, false) },
  'middleware.http.extproc': {
    read(metadata) {
      metadata.text('module');
      return extProc(metadata, metadata.flag('failOpen'));
    },
  },
};

/** Dapr's types that we have nothing for. */
const UNSUPPORTED = ['middleware.http.opa', 'middleware.http.sentinel', 'middleware.http.wasm'];

export const isMiddleware = (type: string): boolean => type.startsWith(MIDDLEWARE_PREFIX);

/** @returns whether a pipeline may serve without a handler of this type */
export const isHarmless = (type: string): boolean => Boolean(Object.hasOwn(TYPES, type) && TYPES[type]?.harmless);

/** @returns what the component does, or everything that is wrong with it, one line each with place and remedy */
export function readMiddleware(
  component: Pick<Component, 'type' | 'version' | 'metadata'>,
): { readonly middleware: Middleware } | { readonly problems: readonly string[] } {
  const { type, version, metadata } = component;
  const known = Object.hasOwn(TYPES, type) ? TYPES[type] : undefined;
  if (!known) return { problems: [`spec.type: ${unknown(type)}`] };
  const reader = readMetadata(metadata);
  const middleware = known.read(reader);
  const problems = [...reader.problems()];
  if ((version || 'v1') !== 'v1') problems.push(`spec.version: ${version} of ${type} is not known; set it to v1`);
  return problems.length > 0 ? { problems } : { middleware };
}

function unknown(type: string): string {
  if (UNSUPPORTED.includes(type)) return `${type} is not supported here; write it as a module for middleware.http.extproc`;
  const meant = nearest(type, Object.keys(TYPES));
  return `${type} is not known here${meant ? ` (did you mean ${meant}?)` : ''}; ${meant ? 'rename it' : 'remove it'}`;
}
