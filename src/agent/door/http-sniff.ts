/** Which side serves a connection, as its first bytes say. */
export type Side = 'service' | 'envoy';

const H2_PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';
/** A request line longer than this is left to the HTTP server, which answers it as it should be answered. */
const MAX_REQUEST_LINE = 16 * 1024;
const API_VERSION = /^\/v1\.0(?:-alpha1|-alpha2|-beta1)?\//;
const ACTOR_METHOD = /^actors\/[^/]*\/[^/]*\/method(?:\/|$)/;

/**
 * Decides by the first request of an HTTP connection. Both sides serve the whole API, so a wrong guess costs time, never
 * correctness: only what Node answers fastest is kept here, everything else is Envoy's.
 * @param head the bytes that have come so far
 * @returns undefined when more bytes are needed
 */
export function sniffHttp(head: Buffer): Side | undefined {
  const preface = Math.min(head.length, H2_PREFACE.length);
  if (head.toString('latin1', 0, preface) === H2_PREFACE.slice(0, preface))
    return preface === H2_PREFACE.length ? 'envoy' : undefined;
  // Node's parser skips empty lines before a request; such clients are rare enough to be left to it.
  if (head[0] === 0x0d || head[0] === 0x0a) return 'service';
  const end = head.indexOf(0x0a);
  if (end < 0) return head.length > MAX_REQUEST_LINE ? 'service' : undefined;
  const target = head.toString('latin1', 0, end).split(' ', 2)[1];
  return target === undefined ? 'service' : sideOf(target);
}

/** @param target request target in origin or absolute form */
export function sideOf(target: string): Side {
  const path = target.startsWith('/') ? target : target.replace(/^[a-z]+:\/\/[^/?]*/i, '');
  const version = API_VERSION.exec(path)?.[0];
  if (version === undefined) return 'envoy';
  const rest = path.slice(version.length);
  if (rest.startsWith('invoke/')) return 'envoy';
  return ACTOR_METHOD.test(rest.replace(/\?.*$/s, '')) ? 'envoy' : 'service';
}
