import { sleep } from '../lib/async.js';
import { LISTENERS } from '../model/names.js';
import type { EnvoyAdmin } from './envoy/admin.js';

const POLL_MS = 20;
/** A pipeline that cannot be built keeps nobody from starting: it lets nothing pass, and the status says why. */
const LIMIT_MS = 3000;

/** Waits until Envoy has the HTTP pipeline, so that the first call after the start meets it and not what stands in for it. */
export async function untilPipelineServes(admin: EnvoyAdmin, signal: AbortSignal): Promise<void> {
  const end = performance.now() + LIMIT_MS;
  while (!signal.aborted && performance.now() < end) {
    const { body } = await admin
      .call('GET', `/config_dump?resource=dynamic_listeners&name_regex=${LISTENERS.door}`)
      .catch(() => ({ body: '' }));
    if (body.includes(`"${LISTENERS.door}"`) && body.includes('active_state') && !body.includes('HTTPFault')) return;
    await sleep(POLL_MS, signal);
  }
}
