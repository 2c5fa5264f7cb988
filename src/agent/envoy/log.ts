import type { Logger, LogLevel } from '../../telemetry/logger.js';

/** Passed as `--log-format`: level, Envoy's logger, message; a tab between, so that the message may hold anything. */
export const ENVOY_LOG_FORMAT = '%l\t%n\t%v';
const KEPT_LINES = 20;

/** Envoy says at `info` what only its developers ask for, so our `info` is its `warning`. */
export const envoyLevel: Readonly<Record<LogLevel, string>> = {
  debug: 'info',
  info: 'warning',
  warn: 'error',
  error: 'critical',
};

const LEVELS: Readonly<Record<string, LogLevel>> = {
  trace: 'debug',
  debug: 'debug',
  info: 'debug',
  warning: 'warn',
  error: 'error',
  critical: 'error',
};

export interface EnvoyLog {
  push(chunk: Buffer | string): void;
  /** The last lines, oldest first: what Envoy said before it ended. */
  lastLines(): readonly string[];
}

export interface EnvoyLogOptions {
  /** @returns true for a line that it has dealt with: a call of the access log */
  readonly takeCall?: ((line: string) => boolean) | undefined;
  /** From when on Envoy's warnings are no news: it warns of its own end and of every stream that goes with it. */
  readonly isStopping?: () => boolean;
}

/** Turns Envoy's output into lines of our log. A line without our format (a crash report, for one) is an error. */
export function envoyLog(logger: Logger, { takeCall, isStopping }: EnvoyLogOptions = {}): EnvoyLog {
  let rest = '';
  const kept: string[] = [];
  return {
    push(chunk) {
      const lines = (rest + chunk).split('\n');
      rest = (lines.pop() ?? '').slice(-64 * 1024);
      for (const line of lines) {
        const entry = takeCall?.(line) ? undefined : entryOf(line);
        if (!entry) continue;
        logger[entry.level === 'warn' && isStopping?.() ? 'debug' : entry.level](entry.text, entry.fields);
        kept.push(entry.text);
        if (kept.length > KEPT_LINES) kept.shift();
      }
    },
    lastLines: () => (rest === '' ? kept : [...kept, rest]),
  };
}

interface Entry {
  readonly level: LogLevel;
  readonly text: string;
  readonly fields: Readonly<Record<string, string>>;
}

/** @returns undefined for a line that tells nobody anything */
function entryOf(line: string): Entry | undefined {
  if (line.trim() === '') return undefined;
  const [first = '', name = '', ...message] = line.split('\t');
  const level = LEVELS[first];
  if (level === undefined) return { level: 'error', text: line, fields: {} };
  const text = message.join('\t');
  // The list of every extension that is linked in: 90 lines at each start.
  if (level === 'debug' && text.startsWith('  ')) return undefined;
  // We know: src/agent/local-secrets.ts.
  if (text.includes('extensions.filters.http.api_key_auth.v3') && text.includes('work-in-progress')) return undefined;
  // Its sidecar said so, and why: src/agent/identity/sds-server.ts.
  if (text.includes('Unexpected SDS secret (expecting external|')) return undefined;
  return { level, text, fields: { envoy: name } };
}
