import { type ActorHostConfig, NO_ACTORS, parseActorConfig } from '../blocks/actors/config.js';
import type { HttpChannel, HttpReply } from '../blocks/app/channel.js';
import { messageOf } from '../errors.js';
import { backoff, sleep } from '../lib/async.js';
import type { Logger } from '../telemetry/logger.js';

export interface AskDeps {
  readonly appId: string;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

const ANSWER_MS = 10_000;
const BACKOFF = { initialMs: 100, maxMs: 2000 };

/**
 * Asks the app which actors it hosts (reference §2.2), again and again while it accepts connections but does not answer. An app that answers
 * every path with something of its own hosts none.
 */
export async function askForActors(app: HttpChannel, { appId, logger, signal }: AskDeps): Promise<ActorHostConfig> {
  const reply = await untilAnswered(app, { appId, logger, signal });
  if (reply.status !== 200 || reply.body.length === 0) return NO_ACTORS;
  try {
    return parseActorConfig(reply.body.toString('utf8'));
  } catch (error) {
    logger.warn('the app is taken to host no actors', { why: messageOf(error) });
    return NO_ACTORS;
  }
}

async function untilAnswered(app: HttpChannel, { appId, logger, signal }: AskDeps): Promise<HttpReply> {
  const wait = backoff(BACKOFF);
  for (;;) {
    try {
      const headers = { 'dapr-app-id': appId };
      return await app.request({ method: 'GET', path: '/dapr/config', headers, timeoutMs: ANSWER_MS, signal });
    } catch (error) {
      signal.throwIfAborted();
      logger.warn('the app does not answer GET /dapr/config yet', { error: messageOf(error) });
      await sleep(wait.next(), signal);
    }
  }
}
