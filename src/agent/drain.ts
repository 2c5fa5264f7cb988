import { sleep } from '../lib/async.js';
import { LISTENERS } from '../model/names.js';
import type { Logger } from '../telemetry/logger.js';
import type { AttachClient } from './attach-client.js';
import type { Door } from './door/listen.js';
import type { EnvoyAdmin } from './envoy/admin.js';
import { SPAN_FLUSH_MS } from './envoy/bootstrap.js';
import type { Envoy } from './envoy/process.js';
import type { FilterService } from './filter-service.js';

export interface DrainParts {
  readonly attach: AttachClient;
  readonly service: FilterService;
  readonly doors: Door;
  readonly envoy: Envoy;
  /** Whether Envoy may hold spans. */
  readonly traced: () => boolean;
  readonly logger: Logger;
  /** `--dapr-graceful-shutdown-seconds` in milliseconds. */
  readonly graceMs: number;
}

/** As long as the control plane waits for other proxies, and a little more for the way. */
const WITHDRAW_MS = 3200;
/** What servers get even when the grace is used up: answers on their way still go out. */
const LAST_MS = 100;

/** Until Envoy has handed over the spans of the last requests: it does so when it next looks, and then they are on their way. */
const SPANS_MS = SPAN_FLUSH_MS + 100;

const POLL_MS = 25;
const FOR_APP = `${LISTENERS.inbound}|${LISTENERS.self}`;

/** @returns how many calls the app has not answered yet; 0 while Envoy does not tell */
export const callsOfApp = (admin: EnvoyAdmin): Promise<number> => admin.activeRequests(FOR_APP).catch(() => 0);

/**
 * What comes before the app itself is ended: it gets nothing new, and what is under way has `graceMs` milliseconds. The API goes on, since the
 * app may need it to end well.
 */
export async function releaseApp({ attach, service, envoy }: Pick<DrainParts, 'attach' | 'service' | 'envoy'>, graceMs: number) {
  const end = performance.now() + graceMs;
  await attach.withdraw(Math.min(WITHDRAW_MS, graceMs));
  const left = Math.max(end - performance.now(), LAST_MS);
  const answered = async () => {
    while (performance.now() < end && (await callsOfApp(envoy.admin)) > 0) await sleep(POLL_MS);
  };
  await Promise.all([service.quiesce(left), answered()]);
}

/**
 * The graceful stop. Out of the registry first: once no proxy has this instance as an endpoint, nobody sends anything new, and what is
 * under way ends. Envoy last but one, since it carries those requests.
 */
export async function drainSidecar({ attach, service, doors, envoy, traced, logger, graceMs }: DrainParts): Promise<void> {
  logger.info('stopping: leaving the registry');
  const startedAt = performance.now();
  await attach.withdraw(WITHDRAW_MS);
  logger.info('stopping: waiting for requests under way', { withdraw_ms: Math.round(performance.now() - startedAt) });
  const end = performance.now() + graceMs;
  const left = () => Math.max(end - performance.now(), LAST_MS);
  doors.refuse();
  await Promise.all([service.quiesce(graceMs), envoy.drain(graceMs)]);
  await Promise.all([service.closeServers(left()), traced() ? sleep(SPANS_MS) : undefined]);
  doors.close();
  attach.close();
  await Promise.all([envoy.stop(), service.close()]);
}
