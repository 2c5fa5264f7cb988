import { HeaderValueOption, HeaderValueOption_HeaderAppendAction } from '../gen/envoy/config/core/v3/base.js';
import {
  CommonResponse,
  HeaderMutation,
  ImmediateResponse,
  type ProcessingResponse,
} from '../gen/envoy/service/ext_proc/v3/external_processor.js';

/** What a module's handler gave back, read field by field: a module is somebody's code, and what it says wrong must not pass for "go on". */

export type Phase = 'requestHeaders' | 'requestBody' | 'responseHeaders' | 'responseBody';

const FIELDS: Readonly<Record<Phase, readonly string[]>> = {
  requestHeaders: ['setHeaders', 'removeHeaders', 'path'],
  requestBody: ['setHeaders', 'removeHeaders', 'body'],
  responseHeaders: ['setHeaders', 'removeHeaders', 'status'],
  responseBody: ['setHeaders', 'removeHeaders', 'body'],
};

/** @returns Envoy's form of an outcome @throws Error that says what is wrong with it */
export function toAnswer(phase: Phase, outcome: unknown): ProcessingResponse {
  if (outcome === undefined || outcome === null) return goOn(phase, CommonResponse.fromPartial({}));
  const fields = object('the outcome', outcome);
  if ('respond' in fields) {
    only(fields, ['respond']);
    return answer({ $case: 'immediateResponse', value: immediate(object('respond', fields.respond)) });
  }
  only(fields, FIELDS[phase]);
  return goOn(phase, change(phase, fields));
}

function change(phase: Phase, { setHeaders, removeHeaders, path, status, body }: Record<string, unknown>): CommonResponse {
  const set = headers(setHeaders);
  if (path !== undefined) set.push(header(':path', pathText(path)));
  if (status !== undefined) set.push(header(':status', String(statusCode(status))));
  const bytes = body === undefined ? undefined : bytesOf(body);
  if (bytes) set.push(header('content-length', String(bytes.length)));
  const removed = removeHeaders === undefined ? [] : names(removeHeaders);
  const changed = set.length + removed.length > 0;
  return CommonResponse.fromPartial({
    ...(changed ? { headerMutation: HeaderMutation.fromPartial({ setHeaders: set, removeHeaders: removed }) } : {}),
    ...(bytes ? { bodyMutation: { mutation: { $case: 'body', value: bytes } } } : {}),
    // Where a call goes follows from its path and headers.
    clearRouteCache: phase === 'requestHeaders' && changed,
  });
}

function immediate(fields: Record<string, unknown>): ImmediateResponse {
  only(fields, ['status', 'headers', 'body']);
  return ImmediateResponse.fromPartial({
    status: { code: statusCode(fields.status) },
    headers: { setHeaders: headers(fields.headers) },
    body: fields.body === undefined ? Buffer.alloc(0) : bytesOf(fields.body),
  });
}

const answer = (response: ProcessingResponse['response']): ProcessingResponse => ({
  response,
  dynamicMetadata: undefined,
  modeOverride: undefined,
  overrideMessageTimeout: undefined,
});
const goOn = (phase: Phase, response: CommonResponse): ProcessingResponse => answer({ $case: phase, value: { response } });

const header = (key: string, value: string): HeaderValueOption =>
  HeaderValueOption.fromPartial({
    header: { key, rawValue: Buffer.from(value, 'latin1') },
    appendAction: HeaderValueOption_HeaderAppendAction.OVERWRITE_IF_EXISTS_OR_ADD,
  });

/** Who calls and where to, and what belongs to the connection. Envoy refuses most of them too. */
const OURS =
  /^(?:host|connection|transfer-encoding|content-length|x-weft-.*|x-envoy-.*|dapr-caller-.*|dapr-callee-app-id|dapr-api-token|x-forwarded-client-cert)$/;
const NAME = /^[!#$%&'*+.^_`|~0-9a-z-]+$/;

function headers(value: unknown): HeaderValueOption[] {
  if (value === undefined) return [];
  return Object.entries(object('setHeaders', value)).map(([name, text]) => {
    if (typeof text !== 'string' || /[\r\n\0]/.test(text)) throw new Error(`header ${name} is not one line of text`);
    return header(headerName(name), text);
  });
}

function names(value: unknown): string[] {
  if (!Array.isArray(value)) throw new Error('removeHeaders is not a list');
  return value.map((name) => headerName(String(name)));
}

function headerName(name: string): string {
  const lower = name.toLowerCase();
  if (!NAME.test(lower)) throw new Error(`${JSON.stringify(name)} is no name of a header`);
  if (OURS.test(lower)) throw new Error(`header ${lower} is not for a middleware to change`);
  return lower;
}

function pathText(value: unknown): string {
  if (typeof value !== 'string' || !/^\/[\x21-\x7e]*$/.test(value)) throw new Error('path is not a path that starts with /');
  return value;
}

function statusCode(value: unknown): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 200 || value > 599)
    throw new Error('status is not a number from 200 to 599');
  return value;
}

function bytesOf(value: unknown): Buffer {
  if (typeof value === 'string') return Buffer.from(value);
  if (value instanceof Uint8Array) return Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  throw new Error('body is neither text nor bytes');
}

function object(what: string, value: unknown): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Error(`${what} is not an object`);
  return value as Record<string, unknown>;
}

function only(fields: Record<string, unknown>, known: readonly string[]): void {
  const odd = Object.keys(fields).find((key) => !known.includes(key));
  if (odd !== undefined) throw new Error(`${odd} is not one of ${known.join(', ')}`);
}
