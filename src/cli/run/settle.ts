import { sleep } from '../../lib/async.js';
import type { Child } from './child.js';

/** As long as daprd gives requests under way (`--dapr-graceful-shutdown-seconds`). */
export const SETTLE_MS = 5_000;
/** Of that, how long a call may go on from app to app: who has left the registry is called by nobody any more. */
const CHAINS_MS = 3_000;
const POLL_MS = 30;
const ANSWER_MS = 500;
/** More questions in a row must find nothing under way: between two apps, a call is with neither for a moment. */
const QUIET_POLLS = 2;

/** Lets the calls end that the apps of these sidecars are answering; then they get no new ones. Takes 5 s at the most. */
export async function settle(sidecars: readonly Pick<Child, 'ask'>[]): Promise<void> {
  const end = performance.now() + SETTLE_MS;
  const callsEnd = performance.now() + CHAINS_MS;
  let quiet = 0;
  let answering = sidecars;
  while (quiet < QUIET_POLLS && performance.now() < callsEnd) {
    const calls = await Promise.all(sidecars.map((sidecar) => sidecar.ask({ ask: 'calls' }, ANSWER_MS)));
    quiet = calls.every((count) => !count) ? quiet + 1 : 0;
    // One that does not answer has not started yet, or hangs.
    answering = sidecars.filter((_, at) => calls[at] !== undefined);
    await sleep(POLL_MS);
  }
  const ms = Math.max(0, end - performance.now());
  await Promise.all(answering.map((sidecar) => sidecar.ask({ ask: 'release', ms }, ms + ANSWER_MS)));
}
