/** What a Configuration says about metrics and tracing (reference §4.2, §8), read the same way by control plane and filter service. */
export interface TelemetrySpec {
  readonly tracing?: TracingSpec | null;
  /** Two names for one thing. */
  readonly metrics?: { readonly enabled?: boolean | null } | null;
  readonly metric?: { readonly enabled?: boolean | null } | null;
}

export interface TracingSpec {
  readonly samplingRate?: string | number | null;
  readonly stdout?: boolean | null;
  readonly zipkin?: { readonly endpointAddress?: string | null } | null;
  readonly otel?: {
    readonly protocol?: 'http' | 'grpc' | null;
    readonly endpointAddress?: string | null;
    readonly isSecure?: boolean | null;
    readonly headers?: readonly (string | { readonly name: string; readonly value?: unknown })[] | null;
  } | null;
}

/** Where spans go. */
export interface SpanCollector {
  readonly kind: 'otlp-grpc' | 'otlp-http' | 'zipkin';
  readonly host: string;
  readonly port: number;
  readonly tls: boolean;
  /** Of the URL; empty for gRPC. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
}

export interface TracingSettings {
  /** Share of the traces that start here which are recorded, 0 to 1. A caller's decision is kept. */
  readonly samplingRate: number;
  readonly collector: SpanCollector;
}

const DEFAULT_RATE = 1e-4;

/** @returns whether the series are wanted */
export const metricsEnabled = (spec: TelemetrySpec): boolean => (spec.metrics?.enabled ?? spec.metric?.enabled) !== false;

/** @returns undefined when nothing is to be traced: a rate of 0, or nowhere to send spans */
export function tracingSettings({ tracing }: TelemetrySpec): TracingSettings | undefined {
  const samplingRate = rateOf(tracing?.samplingRate);
  const collector = tracing && samplingRate > 0 ? collectorOf(tracing) : undefined;
  return collector && { samplingRate, collector };
}

function rateOf(given: string | number | null | undefined): number {
  const rate = given === '' || given === null || given === undefined ? Number.NaN : Number(given);
  return Number.isNaN(rate) ? DEFAULT_RATE : Math.min(1, Math.max(0, rate));
}

function collectorOf({ otel, zipkin }: TracingSpec): SpanCollector | undefined {
  if (otel?.endpointAddress) {
    const kind = otel.protocol === 'http' ? 'otlp-http' : 'otlp-grpc';
    const secure = otel.isSecure ?? true;
    const place = placeOf(otel.endpointAddress, secure, kind === 'otlp-http' ? 4318 : 4317);
    if (!place) return undefined;
    const path = kind === 'otlp-grpc' ? '' : place.path === '' ? '/v1/traces' : place.path;
    return { kind, ...place, path, headers: headersOf(otel.headers ?? []) };
  }
  const place = zipkin?.endpointAddress ? placeOf(zipkin.endpointAddress, false, 9411) : undefined;
  return place && { kind: 'zipkin', ...place, path: place.path === '' ? '/api/v2/spans' : place.path, headers: {} };
}

/** @param address `host:port`, or a URL, whose scheme then decides */
function placeOf(address: string, secure: boolean, defaultPort: number) {
  const text = address.includes('://') ? address : `${secure ? 'https' : 'http'}://${address}`;
  if (!URL.canParse(text)) return undefined;
  const { protocol, hostname, port, pathname } = new URL(text);
  const tls = protocol === 'https:';
  return {
    host: hostname.replace(/^\[|\]$/g, ''),
    port: port === '' ? (address.includes('://') ? (tls ? 443 : 80) : defaultPort) : Number(port),
    tls,
    path: pathname === '/' ? '' : pathname,
  };
}

type Headers = NonNullable<NonNullable<TracingSpec['otel']>['headers']>;

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
