import type { HeaderValues, RequestHead, ResponseHead } from '../blocks/middleware/middleware-module.js';
import type { HeaderMap } from '../gen/envoy/config/core/v3/base.js';

/** @returns Envoy's headers by their name; Envoy sends what a header holds as bytes */
function toHeaders(map: HeaderMap | undefined): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const { key, value, rawValue } of map?.headers ?? []) {
    const text = rawValue.length > 0 ? Buffer.from(rawValue).toString('latin1') : value;
    const before = headers[key];
    headers[key] = before === undefined ? text : `${before},${text}`;
  }
  return headers;
}

/** @returns the head of a request, its pseudo-headers taken out */
export function requestHead(map: HeaderMap | undefined): RequestHead {
  const { ':method': method = '', ':path': path = '', ':authority': host, ':scheme': _scheme, ...rest } = toHeaders(map);
  const headers: HeaderValues = host === undefined ? rest : { host, ...rest };
  return { method, path, headers };
}

/** @param request the call that is answered, if the module saw it */
export function responseHead(map: HeaderMap | undefined, request: RequestHead | undefined): ResponseHead {
  const { ':status': status = '0', ...headers } = toHeaders(map);
  return { status: Number(status), headers, request };
}
