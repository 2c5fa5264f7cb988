/**
 * Envoy compiles regular expressions with RE2 and refuses a whole route table for one that RE2 does not take. So each is read here first,
 * in a common subset of RE2 and JavaScript, and made JavaScript of to see whether it holds together. Rarities of RE2 (`\C`, `\Q…\E`,
 * octal numbers, scripts) are left out.
 */

/** Of the expression times its repetitions: about what RE2 makes of it, far below what it can hold. */
const MAX_SIZE = 4096;
/** RE2's own bound. */
const MAX_REPETITION = 1000;
const CATEGORY = 'L[ulmto]?|M[nce]?|N[dlo]?|P[cdseifo]?|S[mcko]?|Z[slp]?|C[cfos]?';
const PROPERTY = new RegExp(`^\\\\([pP])(?:([LMNPSZC])|\\{(${CATEGORY})\\})`);
const POSIX = /^\[:\^?(?:alnum|alpha|ascii|blank|cntrl|digit|graph|lower|print|punct|space|upper|word|xdigit):\]/;
const QUANTIFIER = /^\{\d+(?:,\d*)?\}/;

/** One part of the expression: its text there, and what JavaScript (with `u`) has for it; or what RE2 does not know. */
type Part = { readonly length: number; readonly js: string } | { readonly odd: string };

/** @returns why `regex` cannot be used, one line with its remedy; undefined: it can */
export function regexProblem(regex: string): string | undefined {
  const translated = translate(regex);
  if ('odd' in translated) return `${translated.odd} is not known to RE2; write the expression without it`;
  const counts = [...regex.matchAll(/\{(\d+)(?:,(\d*))?\}/g)].map(([, from, to]) => Math.max(Number(from), Number(to ?? 0), 1));
  const size = regex.length + 64 * [...regex.matchAll(/\\[pP]/g)].length;
  if (counts.some((count) => count > MAX_REPETITION) || counts.reduce((product, count) => product * count, size) > MAX_SIZE)
    return 'is too large; write it shorter or with fewer repetitions';
  try {
    new RegExp(translated.js, 'u');
    return undefined;
  } catch {
    return 'is no regular expression; correct it';
  }
}

/** @returns a JavaScript expression for the whole text, as Envoy matches it; for `weft explain` and not for the data path */
export function fullMatch(regex: string): RegExp {
  const translated = translate(regex);
  return new RegExp(`^(?:${'js' in translated ? translated.js : ''})$`, /^\(\?[msU]*i/.test(regex) ? 'iu' : 'u');
}

/** @returns a JavaScript expression for every place of the text that `regex` fits, as RE2 would find them */
export function searchFor(regex: string): RegExp {
  const translated = translate(regex);
  return new RegExp('js' in translated ? translated.js : '(?!)', /^\(\?[msU]*i/.test(regex) ? 'giu' : 'gu');
}

function translate(regex: string): { readonly js: string } | { readonly odd: string } {
  let js = '';
  let inClass = false;
  for (let at = 0; at < regex.length; ) {
    const rest = regex.slice(at);
    const part = inClass ? classPart(rest) : plainPart(rest, at);
    if ('odd' in part) return part;
    if (!inClass && rest[0] === '[') inClass = true;
    else if (inClass && rest[0] === ']') inClass = false;
    js += part.js;
    at += part.length;
  }
  return { js };
}

function plainPart(rest: string, at: number): Part {
  const char = [...rest][0] ?? '';
  if (char === '\\') return escaped(rest, false);
  if (char === '(') return group(rest, at);
  if (char === '[') return openClass(rest);
  if (char === '{' && QUANTIFIER.test(rest)) return same(QUANTIFIER.exec(rest)?.[0] ?? char);
  // Literals to RE2.
  if (char === '{' || char === '}' || char === ']') return { length: 1, js: `\\${char}` };
  return same(char);
}

const same = (text: string): Part => ({ length: text.length, js: text });

/** `[]a]` and `[^]a]` hold a bracket. */
function openClass(rest: string): Part {
  const open = /^\[\^?\]?/.exec(rest)?.[0] ?? '[';
  return { length: open.length, js: open.replace(']', '\\]') };
}

function classPart(rest: string): Part {
  const char = [...rest][0] ?? '';
  if (char === '\\') return escaped(rest, true);
  if (char !== '[') return same(char);
  const posix = POSIX.exec(rest)?.[0];
  if (posix !== undefined) return { length: posix.length, js: 'a-z' };
  return rest.startsWith('[:') ? { odd: /^\[:[^\]]*\]?/.exec(rest)?.[0] ?? rest } : { length: 1, js: '\\[' };
}

/** Escapes that JavaScript spells in another way; `^` and `$` stand for the ends of the text in both. */
const OTHERWISE: Readonly<Record<string, string>> = { A: '^', z: '$', a: '\\x07' };

function escaped(rest: string, inClass: boolean): Part {
  const next = rest[1] ?? '';
  const odd: Part = { odd: rest.slice(0, 2) };
  if (/[pPx]/.test(next)) return numberOrProperty(rest) ?? odd;
  if (/[dDwWsSnrtfv]/.test(next) || (!inClass && /[bB]/.test(next))) return same(rest.slice(0, 2));
  if (next === 'a' || (!inClass && next in OTHERWISE)) return { length: 2, js: OTHERWISE[next] ?? '' };
  if (!/^[!-/:-@[-`{-~ ]$/.test(next)) return odd;
  // JavaScript escapes nothing needlessly.
  const needed = /[\^$\\.*+?()[\]{}|/]/.test(next) || (inClass && next === '-');
  return { length: 2, js: needed ? `\\${next}` : next };
}

function numberOrProperty(rest: string): Part | undefined {
  if (/^\\x[0-9A-Fa-f]{2}/.test(rest)) return same(rest.slice(0, 4));
  const [text = '', kind, short, long] = PROPERTY.exec(rest) ?? [];
  return text === '' ? undefined : { length: text.length, js: `\\${kind}{${short ?? long}}` };
}

function group(rest: string, at: number): Part {
  if (!rest.startsWith('(?')) return same('(');
  const named = /^\(\?P?<([A-Za-z_]\w*)>/.exec(rest);
  if (named) return { length: named[0].length, js: `(?<${named[1]}>` };
  const flags = /^\(\?[imsU]*(?:-[imsU]+)?([:)])/.exec(rest);
  if (!flags || flags[0] === '(?)') return { odd: rest.slice(0, 3) };
  if (flags[1] === ':') return { length: flags[0].length, js: '(?:' };
  return at === 0 ? { length: flags[0].length, js: '' } : { odd: 'a flag that is not at the beginning' };
}
