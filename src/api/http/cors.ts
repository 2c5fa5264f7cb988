import type { IncomingMessage, ServerResponse } from 'node:http';

/** @returns true when it has answered the request, which was a browser's question beforehand */
export type Cors = (request: IncomingMessage, response: ServerResponse) => boolean;

const METHODS = ['HEAD', 'GET', 'POST', 'PUT', 'PATCH', 'DELETE'];

/**
 * `--allowed-origins`: which web pages may read what the API answers. Cookies and the like are never let through. What is not allowed is
 * answered without the headers that a browser looks for; whether to answer at all is the API token's affair.
 * @param origins comma-separated; `*` is all of them, and within one it is any text
 */
export function createCors(origins: string): Cors {
  const patterns = origins
    .split(',')
    .map((origin) => origin.trim())
    .filter((origin) => origin !== '');
  const all = patterns.includes('*');
  const allowed = patterns.map((origin) => new RegExp(`^${origin.split('*').map(escapeRegExp).join('.*')}$`, 'i'));
  const allowOrigin = (origin: string | undefined) =>
    origin !== undefined && (all || allowed.some((pattern) => pattern.test(origin))) ? (all ? '*' : origin) : undefined;

  return (request, response) => {
    const { origin, 'access-control-request-method': asked, 'access-control-request-headers': names } = request.headers;
    const isPreflight = request.method === 'OPTIONS' && asked !== undefined;
    const to = allowOrigin(origin);
    if (!all || isPreflight)
      response.setHeader(
        'vary',
        isPreflight ? 'Origin, Access-Control-Request-Method, Access-Control-Request-Headers' : 'Origin',
      );
    if (to !== undefined && (!isPreflight || METHODS.includes(asked.toUpperCase()))) {
      response.setHeader('access-control-allow-origin', to);
      if (isPreflight) {
        response.setHeader('access-control-allow-methods', asked.toUpperCase());
        if (names !== undefined) response.setHeader('access-control-allow-headers', names);
      }
    }
    if (isPreflight) response.writeHead(200).end();
    return isPreflight;
  };
}

const escapeRegExp = (text: string) => text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
