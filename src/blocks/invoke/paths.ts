import { AppError } from '../../errors.js';
import type { Headers } from '../app/channel.js';

// The string that is routed must be the string that the app gets, so what any hop might read in two ways is refused or
// brought to its one form here, before Envoy sees it.

/** Ends or splits a path wherever it is parsed next. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
const FORBIDDEN_IN_METHOD = /[#?\u0000-\u001f\u007f]/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
const FORBIDDEN_IN_NAME = /[#?/\\\u0000-\u001f\u007f]/;
/** Neither unreserved nor allowed in a path (RFC 3986 §3.3), and a `%` that starts no escape. */
const UNSAFE_IN_PATH = /[^A-Za-z0-9\-._~!$&'()*+,;=:@/%]|%(?![0-9A-Fa-f]{2})/gu;

/**
 * Checks an actor type, actor id or another name that becomes one path segment.
 * @param what what the message calls it, such as `actorId`
 * @throws AppError badRequest
 */
export function checkName(name: string, what: string): void {
  if (name === '' || name === '.' || name === '..' || FORBIDDEN_IN_NAME.test(name))
    throw new AppError('badRequest', { err: `invalid ${what}: ${JSON.stringify(name)}` });
}

/**
 * @returns the method of a call by name without leading slash, dot segments resolved, double slashes merged; may be empty
 * @throws AppError badRequest for `#`, `?`, NUL and control characters
 */
export function cleanMethod(method: string): string {
  if (FORBIDDEN_IN_METHOD.test(method)) throw new AppError('badRequest', { err: `invalid method: ${JSON.stringify(method)}` });
  const clean: string[] = [];
  for (const segment of method.split('/')) {
    // Envoy takes %2e for a dot when it resolves dot segments, so here it is one too.
    const plain = segment.replace(/%2e/gi, '.');
    if (plain === '..') clean.pop();
    else if (plain !== '.' && plain !== '') clean.push(segment);
  }
  return clean.join('/');
}

/**
 * @param query without `?`
 * @returns the path of a call by name as Envoy routes it
 * @throws AppError badRequest, invokeFailed
 */
export function invokePath(id: string, method: string, query: string): string {
  // No app has such a name, and as path segments they would climb out of the prefix.
  if (id === '' || id === '.' || id === '..') throw new AppError('invokeFailed', { id, err: `couldn't find service: ${id}` });
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they would end the request line
  if (/[#\u0000-\u0020\u007f]/.test(query)) throw new AppError('badRequest', { err: 'invalid character in the query string' });
  const path = `/v1.0/invoke/${encodeURIComponent(id)}/method/${escapePath(cleanMethod(method))}`;
  return query === '' ? path : `${path}?${escapeAscii(query)}`;
}

const escapePath = (path: string) => path.replace(UNSAFE_IN_PATH, escapeChar);
// biome-ignore lint/suspicious/noControlCharactersInRegex: the class is meant to end at DEL
const escapeAscii = (text: string) => text.replace(/[^\u0000-\u007f]/gu, escapeChar);
// A lone surrogate has no encoding: it becomes U+FFFD, as it would in UTF-8.
const escapeChar = (char: string) =>
  [...Buffer.from(char)].map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join('');

/** @returns the app that a request without a route was meant for, undefined when it names none (reference §1.3) */
export function targetOf(path: string, headers: Headers): string | undefined {
  const [named] = [headers['dapr-app-id']].flat();
  if (named) return named;
  const [authorization] = [headers.authorization].flat();
  if (authorization?.startsWith('Basic ')) {
    const [user, password, ...rest] = Buffer.from(authorization.slice('Basic '.length), 'base64').toString().split(':');
    if (user?.toLowerCase() === 'dapr-app-id' && password && rest.length === 0) return password;
  }
  const segment = /^\/v1\.0\/invoke\/([^?]+?)\/method(?:\/|$|\?)/.exec(path)?.[1];
  return segment === undefined ? undefined : decoded(segment);
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment.replaceAll('+', ' '));
  } catch {
    return segment;
  }
}
