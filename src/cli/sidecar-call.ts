import { readFileSync } from 'node:fs';
import { messageOf, UsageError } from '../errors.js';

const ANSWER_WITHIN_MS = 60_000;

export interface SidecarAnswer {
  readonly status: number;
  readonly text: string;
  readonly headers: Headers;
}

export interface SidecarCall {
  readonly httpPort: number;
  /** From `/v1.0` on. */
  readonly path: string;
  readonly verb: string;
  readonly body?: Buffer | string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Calls a sidecar's HTTP API on the loopback address. @throws UsageError when it does not answer */
export async function callSidecar({ httpPort, path, verb, body, headers }: SidecarCall): Promise<SidecarAnswer> {
  try {
    const response = await fetch(`http://127.0.0.1:${httpPort}${path}`, {
      method: verb,
      body,
      headers,
      signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
    });
    return { status: response.status, text: await response.text(), headers: response.headers };
  } catch (error) {
    throw new UsageError(`the sidecar on port ${httpPort} did not answer ${verb} ${path}: ${messageOf(causeOf(error))}`);
  }
}

const causeOf = (error: unknown) => (error instanceof Error && error.cause ? error.cause : error);

export interface PayloadFlags {
  readonly data?: string;
  readonly dataFile?: string;
}

/** @returns what `--data` or `--data-file` give, undefined when neither is there. @throws UsageError for both, or a missing file */
export function readPayload({ data, dataFile }: PayloadFlags): Buffer | undefined {
  if (data !== undefined && dataFile !== undefined) throw new UsageError('give --data or --data-file, not both');
  if (data !== undefined) return Buffer.from(data);
  if (dataFile === undefined) return undefined;
  try {
    return readFileSync(dataFile);
  } catch (error) {
    throw new UsageError(`--data-file ${dataFile}: ${messageOf(error)}`);
  }
}

/** @returns `application/json` for JSON, else `text/plain`, as Dapr's CLI tells them apart */
export function contentTypeOf(payload: Buffer): string {
  try {
    JSON.parse(payload.toString('utf8'));
    return 'application/json';
  } catch {
    return 'text/plain';
  }
}
