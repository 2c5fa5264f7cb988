import { type ApiLogSpec, CALL_MARK, ERROR_MARK, MIDDLEWARE_MARK } from '../../model/access-log.js';
import { TRACED_CLUSTER } from '../../model/names.js';
import type { Logger } from '../../telemetry/logger.js';

/** One line of Envoy's access log (src/xds/translate/access-log.ts). */
const LINE = new RegExp(`^${CALL_MARK}\\t([^\\t]*)\\t([^\\t]*)\\t(.*)\\t(\\d*)\\t([^\\t]*)$`);

/** @returns true when `line` was a call and is in the log now, as Dapr words it */
export function logCall(line: string, logger: Logger, { obfuscateURLs, omitHealthChecks }: ApiLogSpec): boolean {
  const [, method = '', cluster = '', contentType = '', status = '', path = ''] = LINE.exec(line) ?? [];
  if (method === '') return false;
  // Said once more by the listener that it went on to, which knows the app.
  if (cluster === TRACED_CLUSTER) return true;
  const [kind = '', , name = ''] = cluster.split('|');
  if (omitHealthChecks && path.startsWith('/v1.0/healthz')) return true;
  if (contentType.startsWith('application/grpc')) logger.info('gRPC API Called', { method: path });
  else {
    const invoked = (kind === 'app' || kind === 'external') && !path.startsWith('/v1.0/invoke/');
    const full = invoked ? `/v1.0/invoke/${name.split('@')[0]}/method${path}` : path;
    logger.info('HTTP API Called', { method: obfuscateURLs ? hidden(method, full) : `${method} ${full}`, status });
  }
  return true;
}

/** The route without what a client put into it. */
export function hidden(method: string, path: string): string {
  const [, version = '', block = ''] = path.split('/');
  return `${method} /${version}/${block}`;
}

/** Of one of Envoy's answers in Dapr's words. */
export type WordedError = 'directInvoke' | 'other';

const WORDED = new RegExp(`^${ERROR_MARK}\\t([^\\t]*)\\t([^\\t]*)\\t(.*)$`);
/** Envoy's reason when the answer came from the app. */
const OF_THE_APP = 'via_upstream';

/** @returns what takes a line about an error that Envoy worded: true when it was one */
export const errorLog =
  (count: (error: WordedError) => void) =>
  (line: string): boolean => {
    const [, callee, cluster = '', reason] = WORDED.exec(line) ?? [];
    if (callee === undefined) return false;
    const byName = callee !== '' || cluster.startsWith('external|');
    if (reason !== OF_THE_APP) count(byName ? 'directInvoke' : 'other');
    return true;
  };

const FAILED = new RegExp(`^${MIDDLEWARE_MARK}\\t([^\\t]*)\\t(\\d*)\\t([^\\t]*)$`);
/** A module that always fails must not fill the log. */
const LOG_EVERY_MS = 1000;

/** @returns takes a line about a call that was refused since a module of middleware failed: true when it was one */
export function middlewareLog(logger: Logger, now: () => number = () => performance.now()): (line: string) => boolean {
  let loggedAt = Number.NEGATIVE_INFINITY;
  let unlogged = 0;
  return (line) => {
    const [, middleware = '', status = '', reason = ''] = FAILED.exec(line) ?? [];
    if (middleware === '') return false;
    unlogged += 1;
    if (now() - loggedAt < LOG_EVERY_MS) return true;
    loggedAt = now();
    logger.error('a middleware failed, and calls were refused', { middleware, status, reason, calls: unlogged });
    unlogged = 0;
    return true;
  };
}
