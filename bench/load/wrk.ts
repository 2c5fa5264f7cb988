import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { LoadResult } from '../types.js';
import { runTool } from './tools.js';

export interface WrkRequest {
  readonly method: string;
  /** `%d` stands for a number that runs from 0 to `ids` - 1. */
  readonly path: string;
  readonly ids?: number;
  readonly body?: string;
}

export interface WrkRun {
  readonly port: number;
  readonly request: WrkRequest;
  readonly seconds: number;
  readonly connections: number;
  readonly workDir: string;
}

const DONE = `
done = function(summary, latency, requests)
  local e = summary.errors
  io.write(string.format('\\n@{"us":%d,"requests":%d,"p50":%d,"p99":%d,"errors":%d}\\n', summary.duration, summary.requests,
    latency:percentile(50), latency:percentile(99), e.connect + e.read + e.write + e.status + e.timeout))
end
`;

/** Closed loop with one thread. @throws Error when wrk fails or its result cannot be read */
export async function wrk({ port, request, seconds, connections, workDir }: WrkRun): Promise<LoadResult> {
  const script = join(workDir, 'wrk.lua');
  writeFileSync(script, scriptOf(request) + DONE);
  const url = `http://127.0.0.1:${port}${request.ids ? '/' : request.path}`;
  const args = ['-t1', `-c${connections}`, `-d${seconds}s`, '--timeout', '10s', '-s', script, url];
  const out = await runTool('wrk', args, seconds * 1000 + 20_000);
  const line = /^@(\{.*\})$/m.exec(out)?.[1];
  if (!line) throw new Error(`no result in wrk's output: ${out}`);
  const { us, requests, p50, p99, errors } = JSON.parse(line) as Record<'us' | 'requests' | 'p50' | 'p99' | 'errors', number>;
  return { requests, rps: (requests * 1e6) / us, p50Ms: p50 / 1000, p99Ms: p99 / 1000, errors };
}

function scriptOf({ method, path, ids, body }: WrkRequest): string {
  const head = [`wrk.method = '${method}'`];
  if (body !== undefined) head.push(`wrk.body = '${body}'`, `wrk.headers['Content-Type'] = 'application/json'`);
  // The requests are formatted once, so that the generator costs the same as with a fixed path.
  if (ids)
    head.push(
      'local all, at = {}, 0',
      `init = function() for i = 1, ${ids} do all[i] = wrk.format(nil, string.format('${path}', i - 1)) end end`,
      `request = function() at = at % ${ids} + 1; return all[at] end`,
    );
  return `${head.join('\n')}\n`;
}
