import { get } from 'node:http';
import { withDeadline } from '../../src/lib/async.js';
import type { LoadResult } from '../types.js';
import { loadRow } from './load-row.js';

const EVENTS = 5;
const DEADLINE_MS = 10_000;

/** One stream after the other: what counts is how long an event is on its way, not how many can be. */
export const sse = loadRow({
  name: 'sse',
  about: 'server-sent events by name, all features on: from the write of an event in the app until its first byte is here',
  topology: { hops: 2, appProtocol: 'http', appRole: 'plain', allFeatures: true },
  prime: [{ path: '/v1.0/invoke/bench-app/method/ping' }],
  async load({ target }, _, seconds): Promise<LoadResult> {
    const first: number[] = [];
    const later: number[] = [];
    let errors = 0;
    const begin = performance.now();
    while (performance.now() - begin < seconds * 1000) {
      const delays = await withDeadline(stream(target.httpPort), DEADLINE_MS, 'an event stream');
      if (delays.length === EVENTS) first.push(delays[0] ?? 0);
      else errors += 1;
      later.push(...delays.slice(1));
    }
    const requests = first.length;
    return {
      requests,
      rps: (requests * 1000) / (performance.now() - begin),
      p50Ms: at(first, 0.5),
      p99Ms: at(first, 0.99),
      errors,
      detail: { later_ms: at(later, 0.5), worst_ms: Math.max(...first, ...later, 0) },
    };
  },
});

const at = (values: number[], share: number) => values.sort((a, b) => a - b)[Math.floor((values.length - 1) * share)] ?? 0;

/** @returns milliseconds that each event was on its way; the app writes its clock into it, which all processes of a machine share */
function stream(port: number): Promise<readonly number[]> {
  return new Promise((resolve) => {
    const delays: number[] = [];
    const path = `/v1.0/invoke/bench-app/method/stream?events=${EVENTS}`;
    const request = get({ host: '127.0.0.1', port, path, agent: false }, (response) => {
      response.setEncoding('latin1');
      response.on('data', (chunk: string) => {
        const now = process.hrtime.bigint();
        for (const [, sentAt] of chunk.matchAll(/data: (\d+)/g)) delays.push(Number(now - BigInt(sentAt ?? 0)) / 1e6);
      });
      response.on('close', () => resolve(response.statusCode === 200 ? delays : []));
    });
    request.on('error', () => resolve([]));
  });
}
