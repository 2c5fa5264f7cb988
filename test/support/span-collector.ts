import {
  createServer,
  type Server as HttpServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { type Metadata, Server, ServerCredentials, type ServerUnaryCall, type sendUnaryData } from '@grpc/grpc-js';
import { type Span, SpanBatch } from '../../src/gen/weft/telemetry/v1/otlp.js';
import { eventually } from './eventually.js';

/** A span as a collector got it. */
export interface SeenSpan {
  /** Of the resource: `service.name`. */
  readonly service: string;
  readonly name: string;
  readonly kind: string;
  readonly traceId: string;
  readonly spanId: string;
  /** Empty: it starts its trace. */
  readonly parentId: string;
  readonly state: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly failed: boolean;
  /** Nanoseconds since the epoch. */
  readonly start: bigint;
}

/** A collector that speaks OTLP over gRPC, OTLP over HTTP (protobuf) and Zipkin's JSON, each on a port of its own. */
export interface SpanCollector {
  readonly grpc: string;
  readonly http: string;
  /** Every span so far. */
  readonly spans: SeenSpan[];
  /** What came beside the spans: headers, metadata. */
  readonly headers: IncomingHttpHeaders[];
  /** How many clients did not want its certificate, over HTTP. */
  refused(): number;
  /** Waits until `wanted` finds what it looks for in the spans. @throws with all names seen when it does not within 10 s */
  until<T>(wanted: (spans: readonly SeenSpan[]) => T | undefined): Promise<T>;
  close(): Promise<void>;
}

const KINDS = ['unspecified', 'internal', 'server', 'client', 'producer', 'consumer'];

/** @param tls certificate and key (PEM): it speaks TLS on every port */
export async function startSpanCollector(tls?: { readonly cert: string; readonly key: string }): Promise<SpanCollector> {
  let refused = 0;
  const spans: SeenSpan[] = [];
  const headers: IncomingHttpHeaders[] = [];
  const grpc = new Server();
  const bytes = (value: Buffer) => value;
  grpc.addService(
    {
      export: {
        path: '/opentelemetry.proto.collector.trace.v1.TraceService/Export',
        requestStream: false,
        responseStream: false,
        requestSerialize: bytes,
        requestDeserialize: bytes,
        responseSerialize: bytes,
        responseDeserialize: bytes,
      },
    },
    {
      export: (call: ServerUnaryCall<Buffer, Buffer>, done: sendUnaryData<Buffer>) => {
        headers.push((call.metadata as Metadata).getMap() as IncomingHttpHeaders);
        spans.push(...readOtlp(call.request));
        done(null, Buffer.alloc(0));
      },
    },
  );
  const grpcPort = await new Promise<number>((resolve, reject) =>
    grpc.bindAsync('127.0.0.1:0', tls ? serverTls(tls) : ServerCredentials.createInsecure(), (error, port) =>
      error ? reject(error) : resolve(port),
    ),
  );
  const take = async (request: IncomingMessage, response: ServerResponse) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    headers.push(request.headers);
    const body = Buffer.concat(chunks);
    if (request.url === '/v1/traces' && request.headers['content-type'] === 'application/x-protobuf')
      spans.push(...readOtlp(body));
    else if (request.url === '/api/v2/spans') spans.push(...readZipkin(body));
    else response.statusCode = 404;
    response.end();
  };
  const http: HttpServer = tls ? createTlsServer(tls, take) : createServer(take);
  http.on('tlsClientError', () => {
    refused += 1;
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  return {
    grpc: `127.0.0.1:${grpcPort}`,
    http: `127.0.0.1:${(http.address() as AddressInfo).port}`,
    spans,
    headers,
    refused: () => refused,
    async until(wanted) {
      let found: ReturnType<typeof wanted>;
      await eventually(() => {
        found = wanted(spans);
        if (found === undefined) throw new Error(`spans so far:\n${spans.map(describeSpan).join('\n')}`);
      }, 10_000);
      return found as NonNullable<typeof found>;
    },
    async close() {
      grpc.forceShutdown();
      http.closeAllConnections();
      await new Promise((resolve) => http.close(resolve));
    },
  };
}

const serverTls = ({ cert, key }: { readonly cert: string; readonly key: string }) =>
  ServerCredentials.createSsl(null, [{ cert_chain: Buffer.from(cert), private_key: Buffer.from(key) }]);

const describeSpan = ({ service, kind, name, traceId, spanId, parentId }: SeenSpan) =>
  `${traceId} ${parentId || '-'.repeat(16)} > ${spanId} ${service} ${kind} ${name}`;

/** @returns the spans of `traceId`, callers before what they called @throws Error when a span's parent is not among them */
export function inOrder(spans: readonly SeenSpan[], traceId: string, root = ''): SeenSpan[] {
  const own = spans.filter((span) => span.traceId === traceId);
  const below = (parentId: string): SeenSpan[] =>
    own
      .filter((span) => span.parentId === parentId)
      .sort((a, b) => Number(a.start - b.start))
      .flatMap((span) => [span, ...below(span.spanId)]);
  const found = below(root);
  if (found.length !== own.length) throw new Error(`the trace is not connected:\n${own.map(describeSpan).join('\n')}`);
  return found;
}

function readOtlp(body: Uint8Array): SeenSpan[] {
  return SpanBatch.decode(body).resourceSpans.flatMap(({ resource, scopeSpans }) => {
    const { 'service.name': service = '' } = texts(resource?.attributes ?? []);
    return scopeSpans.flatMap((scope) => scope.spans.map((span) => otlpSpan(span, service)));
  });
}

function otlpSpan(span: Span, service: string): SeenSpan {
  return {
    service,
    name: span.name,
    kind: KINDS[span.kind] ?? '',
    traceId: span.traceId.toString('hex'),
    spanId: span.spanId.toString('hex'),
    parentId: span.parentSpanId.toString('hex'),
    state: span.traceState,
    attributes: texts(span.attributes),
    failed: span.status?.code === 2,
    start: new DataView(Float64Array.of(span.startTimeUnixNano).buffer).getBigUint64(0, true),
  };
}

const texts = (attributes: Span['attributes']): Record<string, string> =>
  Object.fromEntries(attributes.map(({ key, value }) => [key, String(value?.value?.value ?? '')]));

interface ZipkinSpan {
  readonly traceId: string;
  readonly id: string;
  readonly parentId?: string;
  readonly name: string;
  readonly kind?: string;
  readonly localEndpoint: { readonly serviceName: string };
  readonly tags: Readonly<Record<string, string>>;
  /** Microseconds. */
  readonly timestamp: number;
}

function readZipkin(body: Uint8Array): SeenSpan[] {
  return (JSON.parse(Buffer.from(body).toString()) as ZipkinSpan[]).map((span) => ({
    service: span.localEndpoint.serviceName,
    name: span.name,
    kind: (span.kind ?? 'internal').toLowerCase(),
    traceId: span.traceId,
    spanId: span.id,
    parentId: span.parentId ?? '',
    state: '',
    attributes: span.tags,
    failed: span.tags.error !== undefined,
    start: BigInt(span.timestamp) * 1000n,
  }));
}
