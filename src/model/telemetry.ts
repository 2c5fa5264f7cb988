import type { WithMetrics } from './metrics/spec.js';

/** What a Configuration says about metrics and tracing (reference §4.2, §8), read the same way by control plane and filter service. */
export interface TelemetrySpec extends WithMetrics {
  readonly tracing?: TracingSpec | null;
  readonly features?: readonly { readonly name?: string; readonly enabled?: boolean }[] | null;
}

export interface TracingSpec {
  readonly samplingRate?: string | number | null;
  readonly stdout?: boolean | null;
  readonly zipkin?: { readonly endpointAddress?: string | null } | null;
  readonly otel?: OtelSpec | null;
}

export interface OtelSpec {
  readonly protocol?: 'http' | 'grpc' | null;
  readonly endpointAddress?: string | null;
  readonly isSecure?: boolean | null;
  readonly headers?: readonly (string | { readonly name: string; readonly value?: unknown })[] | null;
  readonly timeout?: string | number | null;
}

/** Where spans go. */
export type SpanCollector = { readonly kind: 'stdout' } | NetworkCollector;

export interface NetworkCollector {
  readonly kind: 'otlp-grpc' | 'otlp-http' | 'zipkin';
  /** With scheme, host and port; with the path too, except for gRPC. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Longest export, milliseconds. */
  readonly timeoutMs: number;
}

export interface TracingSettings {
  /** Share of the traces that start here which are recorded, 0 to 1. A caller's decision is kept. */
  readonly samplingRate: number;
  /** Every span goes to each of them. */
  readonly collectors: readonly SpanCollector[];
}

const DEFAULT_RATE = 1e-4;
const EXPORT_MS = 10_000;

/** @returns share of the traces that start here which are recorded: 0 to 1 */
export function samplingRate({ tracing }: TelemetrySpec): number {
  const given = tracing?.samplingRate;
  const rate = given === '' || given === null || given === undefined ? Number.NaN : Number(given);
  return Number.isNaN(rate) ? DEFAULT_RATE : Math.min(1, Math.max(0, rate));
}

/** @returns undefined when nothing is to be traced: a rate of 0, or nowhere to send spans */
export function tracingSettings(spec: TelemetrySpec): TracingSettings | undefined {
  const { tracing } = spec;
  const rate = samplingRate(spec);
  const collectors = tracing && rate > 0 ? collectorsOf(tracing) : [];
  return collectors.length > 0 ? { samplingRate: rate, collectors } : undefined;
}

/**
 * @returns whether B3 headers of callers are read where Envoy routes a call by itself. That costs every call some CPU, so only those who
 * use it pay: with Zipkin, whose headers they are, or when `features` says so.
 */
export const readsB3 = ({ tracing, features }: TelemetrySpec): boolean =>
  Boolean(tracing?.zipkin?.endpointAddress) || (features ?? []).some(({ name, enabled }) => name === 'B3Propagation' && enabled);

function collectorsOf({ stdout, otel, zipkin }: TracingSpec): SpanCollector[] {
  const found: (SpanCollector | undefined)[] = [];
  if (stdout) found.push({ kind: 'stdout' });
  if (otel) found.push(otlpCollector(otel));
  const url = zipkin?.endpointAddress
    ? collectorUrl(zipkin.endpointAddress, false, { port: 9411, path: '/api/v2/spans' })
    : undefined;
  if (url) found.push({ kind: 'zipkin', url, headers: {}, timeoutMs: EXPORT_MS });
  return found.filter((collector) => collector !== undefined);
}

function otlpCollector(otel: OtelSpec): SpanCollector | undefined {
  const http = otel.protocol === 'http';
  const usual = http ? { port: 4318, path: '/v1/traces' } : { port: 4317, path: '' };
  const url = otel.endpointAddress ? collectorUrl(otel.endpointAddress, otel.isSecure ?? true, usual) : undefined;
  if (!url) return undefined;
  const timeoutMs = milliseconds(otel.timeout) ?? EXPORT_MS;
  return { kind: http ? 'otlp-http' : 'otlp-grpc', url, headers: headersOf(otel.headers ?? []), timeoutMs };
}

/** @param address `host:port`, or a URL, whose scheme then decides */
function collectorUrl(
  address: string,
  secure: boolean,
  usual: { readonly port: number; readonly path: string },
): string | undefined {
  const isUrl = address.includes('://');
  const text = isUrl ? address : `${secure ? 'https' : 'http'}://${address}`;
  if (!URL.canParse(text)) return undefined;
  const { protocol, hostname, port, pathname, search } = new URL(text);
  const at = port === '' ? (isUrl ? (protocol === 'https:' ? 443 : 80) : usual.port) : Number(port);
  // OTLP over gRPC has no path of its own.
  const path = usual.path === '' ? '' : `${pathname === '/' ? usual.path : pathname}${search}`;
  return `${protocol}//${hostname}:${at}${path}`;
}

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000 };

/** Milliseconds as a number, or a Go duration of one unit. */
function milliseconds(given: string | number | null | undefined): number | undefined {
  const [, value, unit = 'ms'] = /^(\d+(?:\.\d+)?)(ms|s|m)?$/.exec(String(given ?? '')) ?? [];
  const ms = value === undefined ? 0 : Number(value) * (UNITS[unit] ?? 1);
  return ms > 0 ? ms : undefined;
}

type Headers = NonNullable<OtelSpec['headers']>;

/** Names with values, or one text in the form of OTEL_EXPORTER_OTLP_HEADERS: `a=b,c=d`. */
function headersOf(given: Headers): Readonly<Record<string, string>> {
  const headers: Record<string, string> = {};
  for (const item of given) {
    if (typeof item !== 'string') headers[item.name.toLowerCase()] = String(item.value ?? '');
    else
      for (const pair of item.split(',')) {
        const at = pair.indexOf('=');
        if (at > 0) headers[pair.slice(0, at).trim().toLowerCase()] = pair.slice(at + 1).trim();
      }
  }
  return headers;
}

/** The variables of OpenTelemetry's specification that name a collector. */
export type OtelEnvironment = Readonly<Record<string, string | undefined>>;

/**
 * @returns `spec` with the collector that the environment names, as in Dapr: only when the Configuration names none, and then every trace
 * is recorded unless a rate is given.
 */
export function withEnvironment<S extends TelemetrySpec>(spec: S, env: OtelEnvironment): S {
  const endpoint = environmentCollector(env);
  if (!endpoint || spec.tracing?.otel?.endpointAddress) return spec;
  const of = (name: string) => env[`OTEL_EXPORTER_OTLP_TRACES_${name}`] || env[`OTEL_EXPORTER_OTLP_${name}`];
  const http = of('PROTOCOL')?.startsWith('http') ?? false;
  // A general endpoint is a base: the path of the signal comes behind it.
  const base = http && !env.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT && endpoint.includes('://');
  const headers = of('HEADERS');
  const otel: OtelSpec = {
    protocol: http ? 'http' : 'grpc',
    endpointAddress: base ? `${endpoint.replace(/\/$/, '')}/v1/traces` : endpoint,
    isSecure: of('INSECURE') !== 'true',
    headers: headers ? [headers] : [],
    timeout: of('TIMEOUT') ?? null,
  };
  const { samplingRate: rate } = spec.tracing ?? {};
  return { ...spec, tracing: { ...spec.tracing, otel, samplingRate: rate === undefined || rate === '' ? 1 : rate } };
}

/** @returns the collector that the environment names; undefined or empty: none */
export const environmentCollector = (env: OtelEnvironment): string | undefined =>
  env.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT || env.OTEL_EXPORTER_OTLP_ENDPOINT;

const HIDDEN = '(redacted)';

/** @returns `spec` for people's eyes: a collector's headers hold its token as often as not */
export function withoutTracingSecrets<S extends TelemetrySpec>(spec: S): S {
  const otel = spec.tracing?.otel;
  if (!otel?.headers || otel.headers.length === 0) return spec;
  const headers = otel.headers.map((item) => (typeof item === 'string' ? HIDDEN : { ...item, value: HIDDEN }));
  return { ...spec, tracing: { ...spec.tracing, otel: { ...otel, headers } } };
}
