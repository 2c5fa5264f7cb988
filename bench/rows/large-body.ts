import { type ClientRequest, type IncomingMessage, request } from 'node:http';
import { messageOf } from '../../src/errors.js';
import { withDeadline } from '../../src/lib/async.js';
import { cpuByPart } from '../measure/cpu.js';
import { watchPeak } from '../measure/peak.js';
import { ask } from '../process.js';
import type { Row, Running, Sample, Subject, SubjectName } from '../types.js';

const BYTES = 1_000_000_000;
const DEADLINE_MS = 60_000;
const METHOD = '/v1.0/invoke/bench-app/method';

/** What a body of 1 GB costs in memory, up and down; nothing on the way may collect it. */
export const largeBody: Row = {
  name: 'large-body',
  about: '1 GB up, then 1 GB down, by name, all features on; requests/s are transfers, p50 their time; PSS is the highest seen',
  async run(subjects, { say }) {
    const samples = new Map<SubjectName, Sample[]>();
    for (const subject of subjects) {
      try {
        samples.set(subject.name, [await transfer(subject)]);
      } catch (error) {
        say(`large-body: ${subject.name} is left out: ${messageOf(error)}`);
      }
    }
    return samples;
  },
};

async function transfer(subject: Subject): Promise<Sample> {
  const running = await subject.start({ hops: 2, appProtocol: 'http', appRole: 'plain', allFeatures: true });
  try {
    await ready(running.target.httpPort);
    const sidecars = running.sidecars();
    const cpuBefore = cpuByPart(sidecars);
    const peak = watchPeak(sidecars, running.app.pid);
    const up = await withDeadline(upload(running), DEADLINE_MS, 'the upload');
    const down = await withDeadline(download(running), DEADLINE_MS, 'the download');
    const { pssMb, growthMb, appGrowthMb } = peak.stop();
    const cpu = Object.entries(cpuByPart(sidecars)).map(([part, us]) => [part, (us - (cpuBefore[part as 'node'] ?? 0)) / 2]);
    const detail = { up_s: up / 1000, down_s: down / 1000, growth_mb: growthMb, app_growth_mb: appGrowthMb };
    return {
      rps: 2000 / (up + down),
      p50Ms: (up + down) / 2,
      p99Ms: Math.max(up, down),
      cpuUs: Object.fromEntries(cpu),
      pssMb,
      errors: 0,
      detail,
    };
  } finally {
    await running.stop();
  }
}

async function ready(port: number): Promise<void> {
  const end = performance.now() + 20_000;
  while ((await ask({ port, path: `${METHOD}/ping` })).status !== 200)
    if (performance.now() > end) throw new Error('the app cannot be called');
}

/** @returns milliseconds */
async function upload({ target }: Running): Promise<number> {
  const begin = performance.now();
  const call = open(target.httpPort, 'PUT', `${METHOD}/large/up`);
  const answered = answer(call);
  const chunk = Buffer.alloc(256 * 1024, 'x');
  // No Content-Length: a length would let somebody on the way decide by it.
  for (let left = BYTES; left > 0; left -= chunk.length) {
    const more = call.write(left < chunk.length ? chunk.subarray(0, left) : chunk);
    if (!more) await Promise.race([new Promise((drained) => call.once('drain', drained)), answered]);
  }
  call.end();
  const { status, text } = await answered;
  if (status !== 200 || text !== String(BYTES))
    throw new Error(`the app got ${text.slice(0, 200)} of ${BYTES} bytes (${status})`);
  return performance.now() - begin;
}

async function download({ target }: Running): Promise<number> {
  const begin = performance.now();
  const call = open(target.httpPort, 'GET', `${METHOD}/large/down?bytes=${BYTES}`);
  call.end();
  const { status, bytes } = await answer(call);
  if (status !== 200 || bytes !== BYTES) throw new Error(`${bytes} of ${BYTES} bytes arrived (${status})`);
  return performance.now() - begin;
}

const open = (port: number, method: string, path: string) => request({ host: '127.0.0.1', port, method, path, agent: false });

function answer(call: ClientRequest): Promise<{ status: number | undefined; bytes: number; text: string }> {
  return new Promise((resolve, reject) => {
    call.on('error', reject);
    call.on('response', (response: IncomingMessage) => {
      let bytes = 0;
      let text = '';
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes <= 1000) text += chunk.toString('latin1');
      });
      response.on('end', () => resolve({ status: response.statusCode, bytes, text }));
      response.on('error', reject);
    });
  });
}
