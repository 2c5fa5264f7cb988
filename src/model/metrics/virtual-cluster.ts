/** Requests that Envoy counts together, one `virtual cluster` of its for each method and path template (`metrics.http.pathMatching`). */
export interface CountedRequests {
  /** '': whatever it is. */
  readonly method: string;
  /** As it stands in labels. */
  readonly path: string;
}

/** @returns the name in Envoy, which must be a word: it becomes a part of the names of series */
export const virtualClusterName = ({ method, path }: CountedRequests): string =>
  Buffer.from(`${method} ${path}`).toString('base64url');

/** What Envoy calls all requests that no virtual cluster is for. */
export const ALL_OTHERS = 'other';

/** @returns what {@link virtualClusterName} was given */
export function readVirtualClusterName(name: string): CountedRequests {
  const text = Buffer.from(name, 'base64url').toString();
  const at = text.indexOf(' ');
  return { method: text.slice(0, at), path: text.slice(at + 1) };
}
