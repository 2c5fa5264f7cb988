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
  const otherwise = (operation: string, path: string) => (increasedCardinality ? shortPath(path) : operation);
  const label = (match: (path: string) => string | undefined) => (operation: string, url: string) => {
    const path = pathOf(url);
    return match(path) ?? otherwise(operation, path);
  };
  return {
    generation,
    byPath: increasedCardinality || paths.length > 0,
    path: label(api),
    appPath: label(own),
    method: (verb) => (excludeVerbs ? '' : VERBS.has(verb) ? verb : 'UNKNOWN'),
  };
}

function matcher(templates: readonly PathTemplate[]): (path: string) => string | undefined {
  const all = templates.map(({ text, regex }) => [new RegExp(`^${regex}$`), text] as const);
  return (path) => all.find(([regex]) => regex.test(path))?.[1];
}

function pathOf(url: string): string {
  const end = url.indexOf('?');
  return (end < 0 ? url : url.slice(0, end)).replace(/\/{2,}/g, '/');
}

/** Dapr's form of a path of the API: without keys, names of secrets and ids of actors. The rest of it may still be anything. */
function shortPath(path: string): string {
  const parts = path.split('/');
  const [, first = '', second = ''] = parts;
  if (first === 'actors') return [...parts.slice(0, 3), ...parts.slice(3, 4).map(() => '{id}'), ...parts.slice(4)].join('/');
  if (second === 'state' || second === 'secrets') return parts.slice(0, 4).join('/');
  if (second === 'actors' && parts.length > 5) return [...parts.slice(0, 4), '{id}', ...parts.slice(5, 6)].join('/');
  return path;
}
