import type { AppKind } from './types.js';

/**
 * Paths of access rules. Segments are compared one by one: text as it stands, with `*` for any text in it; a whole segment `*` is any one
 * segment, `**` any number of them. At the end, `/a/*` also covers `/a`, `/a/**` too, and `/a` covers everything below it, but loses to
 * every rule that says more.
 */
export interface PathPattern {
  /** Equal for patterns that cover the same. */
  readonly key: string;
  readonly segments: readonly Segment[];
  /** Matches a whole path in its one normal form, without query; RE2 and JavaScript read it alike. */
  readonly regex: string;
  readonly ignoreCase: boolean;
  covers(path: string): boolean;
}

type Segment =
  | { readonly kind: 'end' }
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'glob'; readonly text: string }
  | { readonly kind: 'one' }
  | { readonly kind: 'many' }
  | { readonly kind: 'below' };

/** The more specific kind first. */
const RANK = { end: 0, text: 1, glob: 2, one: 3, many: 4, below: 5 } as const;

/** @returns the patterns of an operation's name: a name without a wildcard at its end is itself, and what is below it */
export function patternsOf(name: string, kind: AppKind): readonly PathPattern[] {
  const segments = resolved(name, kind).map(segmentOf);
  const last = segments.at(-1);
  if (last === undefined) return [pattern([{ kind: 'end' }], kind)];
  if (last.kind === 'one' || last.kind === 'many') return [pattern(segments, kind)];
  return [pattern([...segments, { kind: 'end' }], kind), pattern([...segments, { kind: 'below' }], kind)];
}

/** Order of the decision: segment by segment, what says more comes first. */
export function comparePatterns(a: PathPattern, b: PathPattern): number {
  for (let i = 0; i < Math.min(a.segments.length, b.segments.length); i += 1) {
    const difference = compareSegments(a.segments[i] as Segment, b.segments[i] as Segment);
    if (difference !== 0) return difference;
  }
  return b.segments.length - a.segments.length;
}

function compareSegments(a: Segment, b: Segment): number {
  if (a.kind !== b.kind) return RANK[a.kind] - RANK[b.kind];
  if (!('text' in a) || !('text' in b)) return 0;
  if (a.kind === 'glob' && a.text.length !== b.text.length) return b.text.length - a.text.length;
  return a.text < b.text ? -1 : a.text > b.text ? 1 : 0;
}

/** @returns the segments of a name as Envoy would leave them of a path: no empty ones, no dots */
function resolved(name: string, kind: AppKind): string[] {
  const clean: string[] = [];
  for (const segment of name.split('/').map(decoded)) {
    if (segment === '..') clean.pop();
    else if (segment !== '' && segment !== '.') clean.push(kind === 'http' ? segment.toLowerCase() : segment);
  }
  return clean;
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}

function segmentOf(text: string): Segment {
  if (text === '*') return { kind: 'one' };
  if (text === '**') return { kind: 'many' };
  return { kind: text.includes('*') ? 'glob' : 'text', text };
}

function pattern(segments: readonly Segment[], kind: AppKind): PathPattern {
  const parts = segments.map((segment, index) => segmentRegex(segment, index === segments.length - 1, kind));
  // A slash at the end changes nothing.
  const regex = `${parts.join('')}/?`;
  const ignoreCase = kind === 'http';
  const matcher = new RegExp(`^(?:${regex})$`, ignoreCase ? 'i' : '');
  return { key: regex, segments, regex, ignoreCase, covers: (path) => matcher.test(path) };
}

function segmentRegex(segment: Segment, isLast: boolean, kind: AppKind): string {
  switch (segment.kind) {
    case 'end':
      return '';
    case 'text':
    case 'glob':
      return `/${[...segment.text].map((char) => charRegex(char, kind)).join('')}`;
    case 'one':
      return isLast ? '(?:/[^/?]+)?' : '/[^/?]+';
    case 'many':
      return isLast ? '(?:/[^?]*)?' : '(?:/[^/?]+)+';
    case 'below':
      return '/[^?]+';
  }
}

const UNRESERVED = /[A-Za-z0-9._~-]/;
/** May stand unescaped in a normal path beside those. */
const PLAIN = /[!$&'()*+,=:@[\]]/;

/** Every spelling that a character may have in a normal path: letters, digits, `-._~` are never escaped there, the others may be. */
function charRegex(char: string, kind: AppKind): string {
  if (char === '*') return '[^/?]*';
  if (UNRESERVED.test(char)) return char.replace('.', '\\.');
  const forms = new Set(kind === 'http' ? [char, char.toLowerCase(), char.toUpperCase()] : [char]);
  const spellings = [...forms].map((form) => [...Buffer.from(form)].map(escaped).join(''));
  if (PLAIN.test(char)) spellings.push(char.replace(/[$()+[\]]/, '\\$&'));
  return spellings.length === 1 ? (spellings[0] as string) : `(?:${spellings.join('|')})`;
}

const escaped = (byte: number) => `%${hex(byte.toString(16).padStart(2, '0'))}`;
/** @returns `digits` in either case */
const hex = (digits: string) => digits.replace(/[a-f]/g, (digit) => `[${digit}${digit.toUpperCase()}]`);

/**
 * The one normal form that a path (without query) must have before rules are compared with it; everything else is denied. Envoy resolves
 * dots and double slashes and decodes letters, digits and `-._~` first. What is left out here can be read in two ways: an escaped slash,
 * backslash, percent sign, `?`, `#`, `;` or control character, parameters after `;`, escapes that are none, that Envoy should have
 * decoded, or that are not UTF-8. Some server reads each of them as another path than the rule has seen.
 */
export const NORMAL_PATH: string = (() => {
  const plain = "[A-Za-z0-9._~!$&'()*+,=:@\\[\\]/-]";
  const ascii = '2(?:[0-246-9]|[aA]|[bB]|[cC])|3(?:[aA]|[c-eC-E])|40|5(?:[bB]|[dD]|[eE])|60|7[b-dB-D]';
  const any = '[0-9a-fA-F]';
  const next = `%[89abAB]${any}`;
  const utf8 = [
    `[cC][2-9a-fA-F]${next}`,
    `[dD]${any}${next}`,
    `[eE]0%[abAB]${any}${next}`,
    `[eE][1-9a-ce-fA-CE-F]${next}${next}`,
    `[eE][dD]%[89]${any}${next}`,
    `[fF]0%[9abAB]${any}${next}${next}`,
    `[fF][1-3]${next}${next}${next}`,
    `[fF]4%8${any}${next}${next}`,
  ];
  return `/(?:${plain}|%(?:${ascii}|${utf8.join('|')}))*`;
})();

const normal = new RegExp(`^${NORMAL_PATH}$`);

/** @returns whether a path (without query) is in its one normal form */
export const isNormalPath = (path: string): boolean => normal.test(path);
