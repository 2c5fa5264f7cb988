import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { Agent, get } from 'node:http';
import { join } from 'node:path';
import { sleep } from '../../src/lib/async.js';

const EVERY_MS = 3;
const DEADLINE_MS = 5_000;

/** Writes rules that send calls of `bench-app` elsewhere, and sees from when on they do: each caller's Envoy answers by itself. */
export function watchRoutes(dir: string) {
  mkdirSync(dir, { recursive: true });
  const agent = new Agent({ keepAlive: true });
  let step = 0;
  return {
    /** @returns milliseconds until every one of the ports answers by the new rule @throws Error when one does not in time */
    async change(ports: readonly number[]): Promise<number> {
      step += 1;
      const mark = `step-${step}`;
      // Beside and moved into place, as tools write files.
      const fresh = join(dir, '.route.new');
      writeFileSync(fresh, route(mark));
      const begin = performance.now();
      renameSync(fresh, join(dir, 'route.yaml'));
      // The others when one follows: asking all of them all the time took a quarter of two CPUs, which the sidecars then lacked.
      const [first = 0, ...others] = ports;
      await untilMarked(first, mark, begin + DEADLINE_MS, agent);
      await Promise.all(others.map((port) => untilMarked(port, mark, begin + DEADLINE_MS, agent)));
      return performance.now() - begin;
    },
    close: () => agent.destroy(),
  };
}

// JSON is YAML too.
const route = (mark: string) =>
  JSON.stringify({
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'HTTPRoute',
    metadata: { name: 'bench' },
    spec: {
      parentRefs: [{ kind: 'Service', group: '', name: 'bench-app' }],
      rules: [{ filters: [{ type: 'RequestRedirect', requestRedirect: { hostname: `${mark}.example.org`, statusCode: 302 } }] }],
    },
  });

async function untilMarked(port: number, mark: string, end: number, agent: Agent): Promise<void> {
  while ((await markOf(port, agent)) !== mark) {
    if (performance.now() > end) throw new Error(`port ${port} does not follow ${mark}`);
    await sleep(EVERY_MS);
  }
}

function markOf(port: number, agent: Agent): Promise<unknown> {
  return new Promise((resolve) => {
    const request = get({ host: '127.0.0.1', port, path: '/v1.0/invoke/bench-app/method/ping', agent }, (response) => {
      response.resume();
      response.on('end', () => resolve(/step-\d+/.exec(response.headers.location ?? '')?.[0]));
      response.on('error', resolve);
    });
    request.on('error', resolve);
  });
}
