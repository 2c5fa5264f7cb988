import { UsageError } from '../errors.js';

/** Parts of a path of the API that people give: whatever would lead to another place than they say is refused and not guessed at. */

/** As a URL has it: these parts are gone before anybody is asked, whichever way they are written. */
const DOTS = /^(?:\.|%2e){1,2}$/i;
const CONTROL = /\p{Cc}/u;

/** @param text a method of an app, with its query. @returns what stands after `/method/` @throws UsageError */
export function methodPath(text: string): string {
  const flag = `--method ${JSON.stringify(text)}`;
  if (text === '') throw new UsageError('--method is empty; name a path of the app, such as checkout');
  if (CONTROL.test(text)) throw new UsageError(`${flag} has a line break or another control character; write it as %0A`);
  if (text.includes('#')) throw new UsageError(`${flag}: what stands after # is never sent; write %23, or leave it out`);
  const path = text.replace(/^\//, '').replaceAll('\\', '%5C');
  const [bare = ''] = path.split('?', 1);
  if (bare.split('/').some((part) => DOTS.test(part)))
    throw new UsageError(`${flag} has . or .. as a part, which leads elsewhere; write the path that is meant`);
  return path;
}

/** @param parts what becomes one part of the path each. @returns them as they stand there @throws UsageError */
export function nameParts(flag: string, ...parts: readonly string[]): string {
  const text = parts.join('/');
  if (text === '') throw new UsageError(`${flag} is empty; give it a name`);
  const encoded = parts.map(encodeURIComponent);
  if (encoded.some((part) => DOTS.test(part)))
    throw new UsageError(`${flag} ${JSON.stringify(text)} has . or .. as a part, which leads elsewhere; use another name`);
  return encoded.join('/');
}

/** @returns `verb` in capitals @throws UsageError when it is none that can be sent */
export function httpVerb(verb: string): string {
  const upper = verb.toUpperCase();
  // `fetch` sends no others (Fetch §2.2.1).
  if (!/^[A-Z]+$/.test(upper) || ['CONNECT', 'TRACE', 'TRACK'].includes(upper))
    throw new UsageError(`--verb ${JSON.stringify(verb)} cannot be sent; use GET, POST, PUT, PATCH, DELETE or such`);
  return upper;
}
