import { isUtf8 } from 'node:buffer';

/**
 * One value inside a checked JSON text, as the bytes that the client wrote. Numbers above 2^53, escapes and spacing stay what
 * they are, because nothing is decoded and encoded again.
 */
export interface RawJson {
  readonly text: Buffer;
  /** First byte of the value, and the first behind it. */
  readonly start: number;
  readonly end: number;
}

export interface RawMember {
  readonly name: string;
  readonly value: RawJson;
}

/** @returns the value that `text` is @throws SyntaxError when it is not UTF-8 or not one JSON value */
export function rawJson(text: Buffer): RawJson {
  if (!isUtf8(text)) throw new SyntaxError('not valid UTF-8');
  // The only full check: what follows may rely on well-formed JSON.
  JSON.parse(text.toString('utf8'));
  const start = skipSpace(text, 0);
  return { text, start, end: valueEnd(text, start) };
}

/** @returns the value's own bytes: a view, not a copy */
export function bytesOf({ text, start, end }: RawJson): Buffer {
  return text.subarray(start, end);
}

/** @returns the decoded value */
export function decode({ text, start, end }: RawJson): unknown {
  return JSON.parse(text.toString('utf8', start, end));
}

/** @returns the elements of an array, undefined when the value is none */
export function elementsOf(value: RawJson): RawJson[] | undefined {
  const { text, start } = value;
  if (text[start] !== CHAR['[']) return undefined;
  const elements: RawJson[] = [];
  let at = skipSpace(text, start + 1);
  while (text[at] !== CHAR[']']) {
    const end = valueEnd(text, at);
    elements.push({ text, start: at, end });
    at = skipSpace(text, end);
    if (text[at] === CHAR[',']) at = skipSpace(text, at + 1);
  }
  return elements;
}

/** @returns the members of an object in the order of the text, repeated names included; undefined when the value is no object */
export function membersOf(value: RawJson): RawMember[] | undefined {
  const { text, start } = value;
  if (text[start] !== CHAR['{']) return undefined;
  const members: RawMember[] = [];
  let at = skipSpace(text, start + 1);
  while (text[at] !== CHAR['}']) {
    const nameEnd = stringEnd(text, at);
    const name = JSON.parse(text.toString('utf8', at, nameEnd)) as string;
    const colon = skipSpace(text, nameEnd);
    const from = skipSpace(text, colon + 1);
    const end = valueEnd(text, from);
    members.push({ name, value: { text, start: from, end } });
    at = skipSpace(text, end);
    if (text[at] === CHAR[',']) at = skipSpace(text, at + 1);
  }
  return members;
}

const CHAR = { '"': 0x22, '\\': 0x5c, '[': 0x5b, ']': 0x5d, '{': 0x7b, '}': 0x7d, ',': 0x2c } as const;

function skipSpace(text: Buffer, from: number): number {
  let at = from;
  while (isSpace(text[at])) at += 1;
  return at;
}

function isSpace(char: number | undefined): boolean {
  return char === 0x20 || char === 0x0a || char === 0x0d || char === 0x09;
}

/** Bytes of UTF-8 sequences are all above 0x7f, so none of them can be taken for a delimiter. */
function stringEnd(text: Buffer, open: number): number {
  let at = open + 1;
  while (at < text.length && text[at] !== CHAR['"']) at += text[at] === CHAR['\\'] ? 2 : 1;
  return at + 1;
}

function valueEnd(text: Buffer, start: number): number {
  const first = text[start];
  if (first === CHAR['"']) return stringEnd(text, start);
  if (first === CHAR['{'] || first === CHAR['[']) return nestedEnd(text, start);
  let at = start;
  while (at < text.length && !endsScalar(text[at])) at += 1;
  return at;
}

function endsScalar(char: number | undefined): boolean {
  return char === CHAR[','] || char === CHAR[']'] || char === CHAR['}'] || isSpace(char);
}

function nestedEnd(text: Buffer, start: number): number {
  let depth = 0;
  for (let at = start; at < text.length; ) {
    const char = text[at];
    if (char === CHAR['"']) {
      at = stringEnd(text, at);
      continue;
    }
    if (char === CHAR['{'] || char === CHAR['[']) depth += 1;
    if (char === CHAR['}'] || char === CHAR[']']) depth -= 1;
    at += 1;
    if (depth === 0) return at;
  }
  return text.length;
}
