import { Agent, get } from 'node:http';
import { sleep } from '../../src/lib/async.js';

const EVERY_MS = 5;
const DEADLINE_MS = 15_000;
/** A call that waits for something that is gone must not hide the next one, which would succeed. */
const ANSWER_MS = 1000;

/** Calls apps by name until they answer. */
export function watchCalls() {
  const agent = new Agent({ keepAlive: true });
  return {
    /** @returns when each of the sidecars on `ports` has had a success, on this process's clock @throws Error when one has none in time */
    async untilCallable(ports: readonly number[], appId: string): Promise<number> {
      const end = performance.now() + DEADLINE_MS;
      await Promise.all(ports.map((port) => untilSuccess(port, appId, end)));
      return performance.now();
    },
    close: () => agent.destroy(),
  };

  async function untilSuccess(port: number, appId: string, end: number): Promise<void> {
    while ((await statusOf(port, appId)) !== 200) {
      if (performance.now() > end) throw new Error(`port ${port} does not reach ${appId}`);
      await sleep(EVERY_MS);
    }
  }

  function statusOf(port: number, appId: string): Promise<number | undefined> {
    const where = { host: '127.0.0.1', port, path: `/v1.0/invoke/${appId}/method/ping`, agent, timeout: ANSWER_MS };
    return new Promise((resolve) => {
      const request = get(where, (response) => {
        response.resume();
        response.on('end', () => resolve(response.statusCode));
        response.on('error', () => resolve(undefined));
      });
      request.on('timeout', () => request.destroy());
      request.on('error', () => resolve(undefined));
    });
  }
}
