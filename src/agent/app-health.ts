import { sleep } from '../lib/async.js';
import type { AppHealthOptions } from './options.js';

export interface AppHealthDeps {
  readonly options: AppHealthOptions;
  readonly probe: (path: string, timeoutMs: number) => Promise<boolean>;
  /** Called on every change, one call after the other; an app starts unhealthy. */
  readonly onChange: (healthy: boolean) => Promise<void>;
  readonly signal: AbortSignal;
}

/** Watches the app: one success makes it healthy, `threshold` failures in a row make it unhealthy (reference §2.7). */
export async function watchAppHealth({ options, probe, onChange, signal }: AppHealthDeps): Promise<void> {
  let healthy = false;
  let failures = 0;
  while (!signal.aborted) {
    if (await probe(options.path, options.timeoutMs)) {
      failures = 0;
      if (!healthy && !signal.aborted) await onChange(true);
      healthy = true;
    } else {
      failures += 1;
      if (healthy && failures >= options.threshold) {
        healthy = false;
        if (!signal.aborted) await onChange(false);
      }
    }
    await sleep(options.intervalMs, signal);
  }
}
