import { parseGoDuration } from '../../lib/duration.js';
import type { HttpChannel } from '../app/channel.js';

/** How the actors of one type are run (reference §2.2, §7). */
export interface ActorTypeConfig {
  readonly idleTimeoutMs: number;
  /** How long a running turn may go on when its actor has moved; 0 when the app does not want to be waited for. */
  readonly drainTimeoutMs: number;
  readonly reentrancy: { readonly enabled: boolean; readonly maxStackDepth: number };
}

/** What an app hosts. Without types there are no actors here. */
export interface ActorHostConfig {
  readonly types: ReadonlyMap<string, ActorTypeConfig>;
  /** Values that were not understood and for which a default stands: one line each, for the log. */
  readonly problems: readonly string[];
}

const HOUR_MS = 3_600_000;
// daprd's value; its documentation says 60 s (reference §7).
const DRAIN_MS = 2_000;
const STACK_DEPTH = 32;
export const DEFAULT_ACTOR_CONFIG: ActorTypeConfig = {
  idleTimeoutMs: HOUR_MS,
  drainTimeoutMs: DRAIN_MS,
  reentrancy: { enabled: false, maxStackDepth: STACK_DEPTH },
};
export const NO_ACTORS: ActorHostConfig = { types: new Map(), problems: [] };

/**
 * Asks the app what it hosts. Any answer but 200 means nothing.
 * @throws Error when the app cannot be reached or answers with something that is no JSON object
 */
export async function fetchActorConfig(app: HttpChannel, appId: string): Promise<ActorHostConfig> {
  const reply = await app.request({ method: 'GET', path: '/dapr/config', headers: { 'dapr-app-id': appId } });
  return reply.status === 200 && reply.body.length > 0 ? parseActorConfig(reply.body.toString('utf8')) : NO_ACTORS;
}

/** @throws Error when `text` is no JSON object */
export function parseActorConfig(text: string): ActorHostConfig {
  const problems: string[] = [];
  const root = fieldsOf(parse(text));
  const base = settingsOf(root, DEFAULT_ACTOR_CONFIG, problems);
  const types = new Map<string, ActorTypeConfig>();
  for (const type of strings(root.get('entities'))) types.set(type, base);
  const exceptions = root.get('entitiesconfig');
  for (const entry of Array.isArray(exceptions) ? exceptions : []) {
    const fields = fieldsOf(entry);
    // As in daprd, an exception starts from the defaults, not from the app's general values.
    const settings = settingsOf(fields, DEFAULT_ACTOR_CONFIG, problems);
    for (const type of strings(fields.get('entities'))) {
      if (types.has(type)) types.set(type, settings);
      else problems.push(`entitiesConfig names ${type}, which is not among the entities`);
    }
  }
  return { types, problems };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error('the app answered GET /dapr/config with something that is not JSON', { cause: error });
  }
}

type Fields = ReadonlyMap<string, unknown>;

/** Field names by lower case: Go decodes JSON without regard to case, and SDKs rely on it. */
function fieldsOf(value: unknown): Fields {
  if (value === null || typeof value !== 'object' || Array.isArray(value))
    throw new Error('the app answered GET /dapr/config with JSON that is not an object');
  return new Map(Object.entries(value).map(([name, field]) => [name.toLowerCase(), field]));
}

function settingsOf(fields: Fields, base: ActorTypeConfig, problems: string[]): ActorTypeConfig {
  const duration = (name: string, otherwise: number): number => {
    const text = fields.get(name.toLowerCase());
    if (text === undefined || text === null || text === '') return otherwise;
    const ms = typeof text === 'string' ? parseGoDuration(text) : undefined;
    if (ms !== undefined && ms >= 0) return ms;
    problems.push(`${name} ${JSON.stringify(text)} is not a duration such as 30s or 1h30m; ${otherwise} ms are used`);
    return otherwise;
  };
  const drain = duration('drainOngoingCallTimeout', base.drainTimeoutMs);
  return {
    idleTimeoutMs: duration('actorIdleTimeout', base.idleTimeoutMs),
    drainTimeoutMs: fields.get('drainrebalancedactors') === false ? 0 : drain,
    reentrancy: reentrancyOf(fields.get('reentrancy'), base.reentrancy),
  };
}

function reentrancyOf(value: unknown, base: ActorTypeConfig['reentrancy']): ActorTypeConfig['reentrancy'] {
  if (value === undefined || value === null) return base;
  const fields = fieldsOf(value);
  const depth = fields.get('maxstackdepth');
  return {
    enabled: fields.get('enabled') === true,
    maxStackDepth: Number.isInteger(depth) ? (depth as number) : base.maxStackDepth,
  };
}

function strings(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((item): item is string => typeof item === 'string' && item !== '') : [];
}
