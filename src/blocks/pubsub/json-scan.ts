import { isUtf8 } from 'node:buffer';

/**
 * Reads JSON as bytes. An envelope goes through the sidecar without its payload being decoded: numbers beyond 2^53, key order and
 * white space arrive as they were sent, and a large payload costs one pass instead of a parse and a re-encoding.
 */

/** Where a value stands: bytes `start` to `end`. */
export interface Slice {
  readonly start: number;
  readonly end: number;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
/** As Go's decoder, so that what daprd takes is taken here. */
const MAX_DEPTH = 10_000;
const INVALID = -1;

/** @returns whether all of `bytes` is one valid JSON value in valid UTF-8 */
export function isJson(bytes: Buffer): boolean {
  const end = skipValue(bytes, 0);
  return end !== INVALID && skipSpace(bytes, end) === bytes.length && isUtf8(bytes);
}

/**
 * Finds the fields of a JSON object without decoding their values.
 * @returns slices by field name, a repeated name's last value (as decoders do); undefined when `bytes` is not one valid object
 */
export function scanObject(bytes: Buffer): Map<string, Slice> | undefined {
  const fields = new Map<string, Slice>();
  let i = skipSpace(bytes, 0);
  if (bytes[i] !== OPEN_BRACE) return undefined;
  i = skipSpace(bytes, i + 1);
  if (bytes[i] === CLOSE_BRACE) return endsAt(bytes, i + 1) ? fields : undefined;
  for (;;) {
    const nameEnd = skipString(bytes, i);
    if (nameEnd === INVALID) return undefined;
    const start = skipSpace(bytes, skipColon(bytes, nameEnd));
    const end = skipValue(bytes, start);
    if (end === INVALID) return undefined;
    fields.set(decodeName(bytes, i, nameEnd), { start, end });
    i = skipSpace(bytes, end);
    if (bytes[i] === CLOSE_BRACE) return endsAt(bytes, i + 1) ? fields : undefined;
    if (bytes[i] !== COMMA) return undefined;
    i = skipSpace(bytes, i + 1);
  }
}

function endsAt(bytes: Buffer, i: number): boolean {
  return skipSpace(bytes, i) === bytes.length && isUtf8(bytes);
}

function decodeName(bytes: Buffer, start: number, end: number): string {
  const raw = bytes.toString('utf8', start + 1, end - 1);
  return raw.includes('\\') ? (JSON.parse(`"${raw}"`) as string) : raw;
}

function skipSpace(bytes: Buffer, start: number): number {
  let i = start;
  for (;;) {
    const c = bytes[i];
    if (c !== 0x20 && c !== 0x0a && c !== 0x0d && c !== 0x09) return i;
    i++;
  }
}

/** @returns behind the colon; a place that no value can start at when there is none */
function skipColon(bytes: Buffer, nameEnd: number): number {
  const i = skipSpace(bytes, nameEnd);
  return bytes[i] === COLON ? i + 1 : bytes.length;
}

function skipValue(bytes: Buffer, start: number): number {
  // The closing bytes of the containers that are open: a loop, because a message must not choose the depth of our stack.
  const open: number[] = [];
  let i = start;
  do {
    i = skipSpace(bytes, i);
    // An opened container is followed by its first value, everything else by what closes or separates.
    if (isOpening(bytes, i)) i = enter(bytes, i, open);
    else {
      i = isEmptyContainer(bytes, i) ? skipSpace(bytes, i + 1) + 1 : skipScalar(bytes, i);
      if (i !== INVALID) i = skipClosings(bytes, i, open);
    }
  } while (i !== INVALID && open.length > 0);
  return i;
}

function isOpening(bytes: Buffer, i: number): boolean {
  return (bytes[i] === OPEN_BRACE || bytes[i] === OPEN_BRACKET) && !isEmptyContainer(bytes, i);
}

function isEmptyContainer(bytes: Buffer, i: number): boolean {
  const c = bytes[i];
  if (c !== OPEN_BRACE && c !== OPEN_BRACKET) return false;
  return bytes[skipSpace(bytes, i + 1)] === (c === OPEN_BRACE ? CLOSE_BRACE : CLOSE_BRACKET);
}

function enter(bytes: Buffer, i: number, open: number[]): number {
  const isObject = bytes[i] === OPEN_BRACE;
  if (open.push(isObject ? CLOSE_BRACE : CLOSE_BRACKET) > MAX_DEPTH) return INVALID;
  const next = skipSpace(bytes, i + 1);
  return isObject ? skipName(bytes, next) : next;
}

/** After a value: closes what ends here and steps over one comma. @returns the next value's place, or the end when nothing is open */
function skipClosings(bytes: Buffer, start: number, open: number[]): number {
  let i = start;
  while (open.length > 0) {
    i = skipSpace(bytes, i);
    const close = open[open.length - 1];
    if (bytes[i] === close) {
      open.pop();
      i++;
    } else if (bytes[i] === COMMA) {
      i = skipSpace(bytes, i + 1);
      return close === CLOSE_BRACE ? skipName(bytes, i) : i;
    } else return INVALID;
  }
  return i;
}

function skipName(bytes: Buffer, start: number): number {
  const end = skipString(bytes, start);
  return end === INVALID ? INVALID : skipColon(bytes, end);
}

function skipScalar(bytes: Buffer, i: number): number {
  switch (bytes[i]) {
    case QUOTE:
      return skipString(bytes, i);
    case 0x74:
      return skipWord(bytes, i, 'true');
    case 0x66:
      return skipWord(bytes, i, 'false');
    case 0x6e:
      return skipWord(bytes, i, 'null');
    default:
      return skipNumber(bytes, i);
  }
}

function skipWord(bytes: Buffer, start: number, word: string): number {
  for (let k = 0; k < word.length; k++) if (bytes[start + k] !== word.charCodeAt(k)) return INVALID;
  return start + word.length;
}

function skipString(bytes: Buffer, start: number): number {
  if (bytes[start] !== QUOTE) return INVALID;
  let i = start + 1;
  for (;;) {
    const c = bytes[i] as number;
    if (c === QUOTE) return i + 1;
    if (c === BACKSLASH) {
      i = skipEscape(bytes, i + 1);
      if (i === INVALID) return INVALID;
    } else if (c >= 0x20) i++;
    else return INVALID; // a control character, or undefined: the end of the bytes
  }
}

function skipEscape(bytes: Buffer, i: number): number {
  const c = bytes[i];
  if (c === undefined) return INVALID;
  if (c !== 0x75) return '"\\/bfnrt'.includes(String.fromCharCode(c)) ? i + 1 : INVALID;
  for (let k = 1; k <= 4; k++) if (!isHex(bytes[i + k])) return INVALID;
  return i + 5;
}

function isHex(c: number | undefined): boolean {
  return c !== undefined && ((c >= 0x30 && c <= 0x39) || (c >= 0x41 && c <= 0x46) || (c >= 0x61 && c <= 0x66));
}

function isDigit(c: number | undefined): boolean {
  return c !== undefined && c >= 0x30 && c <= 0x39;
}

function skipDigits(bytes: Buffer, start: number): number {
  let i = start;
  while (isDigit(bytes[i])) i++;
  return i === start ? INVALID : i;
}

function skipNumber(bytes: Buffer, start: number): number {
  let i = bytes[start] === 0x2d ? start + 1 : start;
  i = bytes[i] === 0x30 ? i + 1 : skipDigits(bytes, i);
  if (i !== INVALID && bytes[i] === 0x2e) i = skipDigits(bytes, i + 1);
  if (i !== INVALID && (bytes[i] === 0x65 || bytes[i] === 0x45)) {
    const sign = bytes[i + 1] === 0x2b || bytes[i + 1] === 0x2d ? 1 : 0;
    i = skipDigits(bytes, i + 1 + sign);
  }
  return i;
}
