import { Agent, get } from 'node:http';
import { sleep } from '../../src/lib/async.js';

/** Requests at a fixed rate, whatever becomes of those before. */
export interface OpenLoop {
  /** Resolves when the rate is reached. It rises slowly: traffic that begins at once measures how fast connections can be opened. */
  readonly risen: Promise<void>;
  /** Requests without an answer so far: many of them say that the machine does not keep up. */
  underWay(): number;
  stop(): Promise<Outcome>;
}

export interface Outcome {
  readonly good: number;
  /** What was no 200, each with its time in milliseconds since the start. */
  readonly bad: readonly string[];
  readonly p99Ms: number;
  readonly worstMs: number;
}

export interface OpenLoopOptions {
  readonly url: string;
  readonly perSecond: number;
}

const TICK_MS = 5;
const RISE_MS = 2_000;
const ANSWER_MS = 10_000;
/** As the pool of a client that is made for such a rate; who waits for one of them waits on the clock. */
const MAX_CONNECTIONS = 100;
/** More than that at once would say that the machine, not the mesh, is too slow. */
const MAX_UNDER_WAY = 10_000;

/** @returns for how many seconds the full rate would have had to run to send as much */
const steadySeconds = (ms: number) => (ms < RISE_MS ? ms ** 2 / (2 * RISE_MS) : ms - RISE_MS / 2) / 1000;

export function startOpenLoop({ url, perSecond }: OpenLoopOptions): OpenLoop {
  const agent = new Agent({ keepAlive: true, maxSockets: MAX_CONNECTIONS });
  const begin = performance.now();
  const latencies: number[] = [];
  const bad: string[] = [];
  const underWay = new Set<Promise<void>>();
  let sent = 0;

  const one = () =>
    new Promise<void>((resolve) => {
      const at = performance.now();
      const note = (problem: string) => {
        bad.push(`${Math.round(at - begin)} ms: ${problem}`);
        resolve();
      };
      const request = get(url, { agent, timeout: ANSWER_MS }, (response) => {
        let text = '';
        response.setEncoding('latin1');
        response.on('data', (chunk: string) => {
          text += chunk;
        });
        response.on('error', (error) => note(String(error)));
        response.on('end', () => {
          latencies.push(performance.now() - at);
          if (response.statusCode === 200) resolve();
          else note(`${response.statusCode} ${text.slice(0, 200)}`);
        });
      });
      request.on('timeout', () => request.destroy(new Error(`no answer within ${ANSWER_MS} ms`)));
      request.on('error', (error) => note(String(error)));
    });
  const send = () => {
    sent += 1;
    if (underWay.size >= MAX_UNDER_WAY) return void bad.push(`${MAX_UNDER_WAY} requests were under way`);
    const answered = one().finally(() => underWay.delete(answered));
    underWay.add(answered);
  };
  const timer = setInterval(() => {
    const due = Math.floor(steadySeconds(performance.now() - begin) * perSecond);
    while (sent < due) send();
  }, TICK_MS);
  return {
    risen: sleep(RISE_MS),
    underWay: () => underWay.size,
    async stop() {
      clearInterval(timer);
      await Promise.all(underWay);
      agent.destroy();
      latencies.sort((a, b) => a - b);
      const p99Ms = latencies[Math.floor(latencies.length * 0.99)] ?? 0;
      return { good: sent - bad.length, bad, p99Ms, worstMs: latencies.at(-1) ?? 0 };
    },
  };
}
