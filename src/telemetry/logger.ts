import pino from 'pino';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/** What every part logs through. `fields` must never hold secrets or bodies. */
export interface Logger {
  debug(message: string, fields?: Record<string, unknown>): void;
  info(message: string, fields?: Record<string, unknown>): void;
  warn(message: string, fields?: Record<string, unknown>): void;
  error(message: string, fields?: Record<string, unknown>): void;
  /** @returns a logger that adds `fields` to every line */
  child(fields: Record<string, unknown>): Logger;
}

export interface LoggerOptions {
  readonly level: LogLevel;
  /** True: one JSON object a line (`--log-as-json`); false: logfmt, as daprd's users know it. */
  readonly json: boolean;
  readonly fields?: Record<string, unknown>;
  /** Default: standard output. */
  readonly write?: (line: string) => void;
}

/** @returns a logger on pino */
export function createLogger(options: LoggerOptions): Logger {
  const write = options.write ?? ((line: string) => void process.stdout.write(line));
  const stream = { write: options.json ? write : (line: string) => write(toLogfmt(line)) };
  const base = pino(
    { level: options.level, base: options.fields ?? {}, messageKey: 'msg', timestamp: pino.stdTimeFunctions.isoTime },
    stream,
  );
  return wrap(base);
}

/** A logger that says nothing, for tests and tools. */
export const silentLogger: Logger = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
  child: () => silentLogger,
};

function wrap(target: pino.Logger): Logger {
  return {
    debug: (message, fields) => target.debug(fields ?? {}, message),
    info: (message, fields) => target.info(fields ?? {}, message),
    warn: (message, fields) => target.warn(fields ?? {}, message),
    error: (message, fields) => target.error(fields ?? {}, message),
    child: (fields) => wrap(target.child(fields)),
  };
}

const LEVELS: Readonly<Record<number, string>> = {
  10: 'debug',
  20: 'debug',
  30: 'info',
  40: 'warning',
  50: 'error',
  60: 'fatal',
};

function toLogfmt(line: string): string {
  const { time, level, msg, ...rest } = JSON.parse(line) as Record<string, unknown>;
  const parts = [`time=${quote(time)}`, `level=${LEVELS[Number(level)] ?? 'info'}`, `msg=${quote(msg)}`];
  for (const [key, value] of Object.entries(rest)) parts.push(`${key}=${quote(value)}`);
  return `${parts.join(' ')}\n`;
}

function quote(value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return /^[\w.:/@+-]+$/.test(text ?? '') ? text : JSON.stringify(text);
}
