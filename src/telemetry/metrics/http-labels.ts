import { type PathTemplate, withInvocations } from '../../model/metrics/path-template.js';
import type { MetricsSettings } from '../../model/metrics/spec.js';

/** How HTTP requests are named in labels, as `spec.metrics.http` says (reference §4.2). */
export interface HttpLabels {
  /** Another number: the labels of what is counted already are no longer what they would be. */
  readonly generation: number;
  /** False: a request's operation is its label, so that it need not be asked for each request. */
  readonly byPath: boolean;
  /** @param url of the API, with query. */
  path(operation: string, url: string): string;
  /** @param url of the app, with query. */
  appPath(operation: string, url: string): string;
  method(verb: string): string;
}

const VERBS = new Set(['GET', 'PUT', 'POST', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS', 'CONNECT', 'TRACE']);

export function httpLabels(settings: MetricsSettings, generation: number): HttpLabels {
  const { increasedCardinality, excludeVerbs, paths } = settings;
  const own = matcher(paths);
  const api = matcher(withInvocations(paths));
  const otherwise = (operation: string, path: string) => (increasedCardinality ? cut(shortPath(path)) : operation);
  const matched = (match: (path: string) => string | undefined) => (operation: string, url: string) => {
    const path = pathOf(url);
    return match(path) ?? otherwise(operation, path);
  };
  const plain = (operation: string, url: string) => otherwise(operation, pathOf(url));
  const label = paths.length > 0 ? matched : () => plain;
  return {
    generation,
    byPath: increasedCardinality || paths.length > 0,
    path: label(api),
    appPath: label(own),
    method: (verb) => (excludeVerbs ? '' : VERBS.has(verb) ? verb : 'UNKNOWN'),
  };
}

/** A path may be as long as a request's head, and stands in some hundred lines of each scrape. */
const LONGEST = 256;
const cut = (path: string) => (path.length > LONGEST ? `${path.slice(0, LONGEST)}…` : path);

function matcher(templates: readonly PathTemplate[]): (path: string) => string | undefined {
  const all = templates.map(({ text, regex }) => [new RegExp(`^${regex}$`), text] as const);
  return (path) => all.find(([regex]) => regex.test(path))?.[1];
}

function pathOf(url: string): string {
  const end = url.indexOf('?');
  const path = end < 0 ? url : url.slice(0, end);
  return path.includes('//') ? path.replace(/\/{2,}/g, '/') : path;
}

/**
 * Dapr's form of a path of the API: without keys, names of secrets and ids of actors. The rest of it may still be anything. By default it is
 * asked for each request, so no list of parts is made.
 */
function shortPath(path: string): string {
  const first = endOfPart(path, 1);
  if (path.slice(1, first) === 'actors') return withoutId(path, 2);
  const block = path.slice(first + 1, endOfPart(path, 2));
  if (block === 'state' || block === 'secrets') return path.slice(0, endOfPart(path, 3));
  return block === 'actors' ? withoutId(path.slice(0, endOfPart(path, 5)), 3) : path;
}

/** @returns where the slash after so many parts stands, or the end */
function endOfPart(path: string, parts: number): number {
  let at = 0;
  for (let part = 0; part < parts && at >= 0; part++) at = path.indexOf('/', at + 1);
  return at < 0 ? path.length : at;
}

/** @param before how many parts stand before the id */
function withoutId(path: string, before: number): string {
  const start = endOfPart(path, before);
  return start === path.length ? path : `${path.slice(0, start)}/{id}${path.slice(endOfPart(path, before + 1))}`;
}
