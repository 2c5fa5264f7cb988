import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../support/eventually.js';
import { call as plainCall } from '../../support/http-call.js';
import { inOrder, type SeenSpan, type SpanCollector, startSpanCollector } from '../../support/span-collector.js';
import { callThrough, hopsOfCall, startTracedMesh, type TracedMesh } from '../../support/traced-mesh.js';

/** Few traces are recorded: no listener that every call passes has a tracer (src/xds/translate/traced-calls.ts). */

const show = ({ service, kind, name }: SeenSpan) => `${service} ${kind} ${name}`;
const CALLS = 1000;
const SHARE = 0.1;

describe.each(['service', 'envoy'] as const)('few traces are recorded (%s door)', (door) => {
  let collector: SpanCollector;
  let mesh: TracedMesh;
  beforeAll(async () => {
    collector = await startSpanCollector();
    const otel = `{protocol: grpc, endpointAddress: "${collector.grpc}", isSecure: false}`;
    const b3 = '  features: [{name: B3Propagation, enabled: true}]';
    mesh = await startTracedMesh(`  tracing: {samplingRate: "${SHARE}", otel: ${otel}}\n${b3}`, { door });
  }, 60_000);
  afterAll(async () => {
    await mesh?.close();
    await collector?.close();
  });

  it.each(['01', '03'])(
    'records every hop of a call whose caller does, with flags %s',
    async (flags) => {
      const trace = flags.repeat(16);
      const parent = 'd'.repeat(16);
      const turn = await callThrough(mesh, { traceparent: `00-${trace}-${parent}-${flags}`, tracestate: 'vendor=1' });
      expect(turn.headers).toMatchObject({ tracestate: 'vendor=1' });
      const spans = await collector.until((all) => {
        const own = all.filter(({ traceId }) => traceId === trace);
        return own.length >= hopsOfCall(door).length ? inOrder(own, trace, parent) : undefined;
      });
      expect(spans.map(show)).toEqual(hopsOfCall(door));
      expect(spans.at(-1)?.spanId, 'what the app continues is the turn').toBe(String(turn.headers.traceparent).slice(36, 52));
    },
    30_000,
  );

  it('records none of a call whose caller does not, and hands its trace on', async () => {
    const turn = await callThrough(mesh, { traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-00`, baggage: 'tenant=blue' });
    expect(turn.headers.traceparent).toMatch(/^00-a{32}-[\da-f]{16}-00$/);
    expect(collector.spans.filter(({ traceId }) => traceId === 'a'.repeat(32))).toEqual([]);
  }, 30_000);

  it('does what a caller with B3 headers says', async () => {
    const told = async (path: string, b3: string) => {
      const answer = await fetch(`${mesh.shop.api}/v1.0/invoke/worker/method/${path}`, { headers: { b3 } });
      expect(answer.status).toBe(200);
      return mesh.workerApp.seen.find(({ url }) => url === `/${path}`)?.headers.traceparent;
    };
    const [recorded, other, parent] = ['5'.repeat(32), '6'.repeat(32), '7'.repeat(16)] as const;
    expect(await told('b3-off', `${other}-${parent}-0`)).toMatch(new RegExp(`^00-${other}-[\\da-f]{16}-00$`));
    expect(await told('b3-on', `${recorded}-${parent}-1`)).toMatch(new RegExp(`^00-${recorded}-[\\da-f]{16}-01$`));
    const hops = await collector.until((all) => {
      const own = all.filter(({ traceId }) => traceId === recorded);
      return own.length >= 2 ? inOrder(own, recorded, parent) : undefined;
    });
    expect(hops.map(show)).toEqual(['shop client CallLocal/worker/b3-on', 'worker server CallLocal/worker/b3-on']);
    expect(collector.spans.filter(({ traceId }) => traceId === other)).toEqual([]);
  }, 30_000);

  it('records the share of the calls that start here; each has a trace of its own, which the app is told', async () => {
    const before = mesh.workerApp.seen.length;
    for (let call = 0; call < CALLS; call += 50)
      await Promise.all(
        Array.from({ length: 50 }, async () => {
          const answer = await fetch(`${mesh.shop.api}/v1.0/invoke/worker/method/plain`);
          expect(answer.status).toBe(200);
          await answer.text();
        }),
      );
    const told = mesh.workerApp.seen.slice(before).map(({ headers }) => String(headers.traceparent));
    expect(told).toHaveLength(CALLS);
    for (const text of told) expect(text).toMatch(/^00-(?!0{32})[\da-f]{32}-(?!0{16})[\da-f]{16}-0[01]$/);
    const ids = told.map((text) => text.slice(3, 35));
    expect(new Set(ids).size).toBe(CALLS);
    const recorded = told.filter((text) => text.endsWith('1')).map((text) => text.slice(3, 35));
    // 100 of 1,000 are expected; beyond these bounds lie fewer than one run of a hundred million.
    expect(recorded.length).toBeGreaterThan(45);
    expect(recorded.length).toBeLessThan(165);
    const isPlain = (span: SeenSpan) => ids.includes(span.traceId);
    const spans = await collector.until((all) => {
      const own = all.filter(isPlain);
      return own.length >= 2 * recorded.length ? own : undefined;
    });
    const hops = ['shop client CallLocal/worker/plain', 'worker server CallLocal/worker/plain'];
    for (const id of recorded) expect(inOrder(spans, id).map(show)).toEqual(hops);
    expect(spans).toHaveLength(2 * recorded.length);
  }, 60_000);

  it('lets nobody mark a call as being on its way', async () => {
    const trace = 'e'.repeat(32);
    const headers = { 'x-weft-traced': 'yes', traceparent: `00-${trace}-${'f'.repeat(16)}-01` };
    const answer = await fetch(`${mesh.shop.api}/v1.0/invoke/worker/method/marked`, { headers });
    expect(answer.status).toBe(200);
    const seen = mesh.workerApp.seen.find(({ url }) => url === '/marked');
    expect(Object.keys(seen?.headers ?? {}).filter((name) => name.startsWith('x-weft-'))).toEqual([]);
    await collector.until((all) => (all.filter(({ traceId }) => traceId === trace).length === 2 ? true : undefined));
  }, 30_000);
});

describe('a rate that changes', () => {
  const trace = '9'.repeat(32);
  let collector: SpanCollector;
  let mesh: TracedMesh;
  const spec = (rate: string) =>
    `  tracing: {samplingRate: "${rate}", otel: {protocol: grpc, endpointAddress: "${collector.grpc}", isSecure: false}}`;
  beforeAll(async () => {
    collector = await startSpanCollector();
    mesh = await startTracedMesh(spec('1'), { door: 'service' });
  }, 60_000);
  afterAll(async () => {
    await mesh?.close();
    await collector?.close();
  });

  it('fails no call, recorded or not, while calls go apart, do not, and are not traced at all', async () => {
    const statuses = new Map<number, number>();
    let over = false;
    const call = async (headers: Record<string, string>) => {
      while (!over) {
        const { status } = await plainCall(`${mesh.shop.api}/v1.0/invoke/worker/method/plain`, { headers });
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
      }
    };
    const recorded = { traceparent: `00-${trace}-${'d'.repeat(16)}-01` };
    const calls = [recorded, recorded, recorded, {}].map(call);
    const goesApart = async () => (await mesh.mesh.world.run(['proxy-config', 'shop'])).text.includes('RuntimeFraction');
    try {
      for (const rate of ['0.05', '1', '0', '0.05', '0', '1', '0.01']) {
        mesh.configure(spec(rate));
        const wanted = Number(rate) > 0 && Number(rate) <= 0.1;
        await eventually(async () => expect(await goesApart()).toBe(wanted));
      }
    } finally {
      over = true;
      await Promise.all(calls);
    }
    expect([...statuses.keys()]).toEqual([200]);
    expect(statuses.get(200)).toBeGreaterThan(100);
  }, 60_000);
});
