/**
 * Envoy compiles regular expressions with RE2 and refuses a whole route table for one that RE2 does not take, so what RE2 might refuse
 * never gets there. Stricter than RE2 where RE2 knows rarities (`\C`, `\Q…\E`, octal numbers).
 */

/** Of the expression times its repetitions: about what RE2 makes of it, far below what it can hold. */
const MAX_SIZE = 4096;
const ESCAPES = /^(?:[dDwWsSbBAzpPnrtfva]|x[0-9A-Fa-f]{2}|[^A-Za-z0-9])/;
const POSIX = /:\^?(alnum|alpha|ascii|blank|cntrl|digit|graph|lower|print|punct|space|upper|word|xdigit):/;
const GROUPS = /^(?:\(\?:|\(\?P?<[A-Za-z_]\w*>|\(\?[imsU]+(?:-[imsU]+)?[:)]|\((?!\?))/;

/** @returns why `regex` cannot be used, one line with its remedy; undefined: it can */
export function regexProblem(regex: string): string | undefined {
  const odd = oddity(regex);
  if (odd !== undefined) return `${odd} is not known to RE2; write the expression without it`;
  if (weight(regex) > MAX_SIZE) return 'is too large; write it shorter or with fewer repetitions';
  try {
    new RegExp(forJavaScript(regex), 'v');
  } catch {
    try {
      // Without `v` JavaScript is as lenient as RE2 about brackets and dashes in classes.
      new RegExp(forJavaScript(regex));
    } catch {
      return 'is no regular expression; correct it';
    }
  }
  return undefined;
}

/** @returns a JavaScript expression for the whole text, as Envoy matches it; for `weft explain` and not for the data path */
export const fullMatch = (regex: string): RegExp =>
  new RegExp(`^(?:${forJavaScript(regex)})$`, /^\(\?[msU]*i/.test(regex) ? 'i' : '');

/** Groups with RE2's spelling, and flags at the beginning, which JavaScript has elsewhere. */
const forJavaScript = (regex: string): string => regex.replace(/^\(\?[imsU]+\)/, '').replaceAll('(?P<', '(?<');

function oddity(regex: string): string | undefined {
  for (let at = 0; at < regex.length; at += 1) {
    const rest = regex.slice(at);
    const odd = oddityAt(rest, at);
    if (odd !== undefined) return odd;
    if (rest[0] === '\\') at += 1;
  }
  return undefined;
}

function oddityAt(rest: string, at: number): string | undefined {
  if (rest[0] === '\\') return ESCAPES.test(rest.slice(1)) ? undefined : rest.slice(0, 2);
  if (/^[*+?}]\+/.test(rest)) return rest.slice(0, 2);
  if (rest[0] === '[') {
    const posix = /^\[\[:\^?[a-z]*:\]/.exec(rest)?.[0];
    return posix === undefined || POSIX.test(posix) ? undefined : posix;
  }
  if (rest[0] !== '(') return undefined;
  if (at > 0 && /^\(\?[imsU-]+\)/.test(rest)) return 'a flag that is not at the beginning';
  return GROUPS.test(rest) ? undefined : rest.slice(0, 3);
}

function weight(regex: string): number {
  const repetitions = [...regex.matchAll(/\{(\d+)(?:,(\d*))?\}/g)].map(([, from, to]) =>
    Math.max(Number(from), Number(to ?? 0), 1),
  );
  const classes = [...regex.matchAll(/\\[pP]/g)].length;
  return (regex.length + 64 * classes) * repetitions.reduce((product, count) => product * count, 1);
}
