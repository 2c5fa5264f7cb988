import yaml from 'js-yaml';
import type { ComponentFactory } from '../../blocks/component.js';
import type { HttpMiddleware } from '../../blocks/middleware/contract.js';
import { messageOf } from '../../errors.js';

/** Other paths for paths: `/hello/{id}` may stand for `/v1.0/invoke/greeter/method/hello`, which gets `id` in its query. */
export const createRouterAlias: ComponentFactory<HttpMiddleware> = async ({ metadata }) => {
  const aliases = readRoutes(metadata.get('routes') ?? '').map(([pattern, target]) => ({ match: matcher(pattern), target }));
  return {
    capabilities: [],
    module: {
      onRequestHeaders({ path }) {
        const [plain = '', query = ''] = splitQuery(path);
        for (const { match, target } of aliases) {
          const params = match(plain);
          if (params) return { path: withQuery(target, params, query) };
        }
        return undefined;
      },
    },
    close: async () => {},
  };
};

function readRoutes(text: string): [string, string][] {
  let routes: unknown;
  try {
    routes = yaml.load(text);
  } catch (error) {
    throw new Error(`metadata routes is neither JSON nor YAML (${messageOf(error)}); correct it`);
  }
  if (typeof routes !== 'object' || routes === null || Array.isArray(routes))
    throw new Error('metadata routes is no mapping from paths to paths; correct it');
  return Object.entries(routes).map(([pattern, target]) => {
    if (typeof target !== 'string' || !/^\/[\x21-\x7e]*$/.test(target) || !pattern.startsWith('/'))
      throw new Error(`metadata routes: ${pattern} does not lead from one path to another; write both with a slash in front`);
    return [pattern, target];
  });
}

type Params = readonly (readonly [string, string])[];

/** @returns what matches a pattern segment by segment; `{name}` is any one segment */
function matcher(pattern: string): (path: string) => Params | undefined {
  const parts = pattern.split('/');
  return (path) => {
    const segments = path.split('/');
    if (segments.length !== parts.length) return undefined;
    const params: (readonly [string, string])[] = [];
    for (const [index, part] of parts.entries()) {
      const segment = segments[index] ?? '';
      const name = /^\{([^{}:]+)\}$/.exec(part)?.[1];
      if (name === undefined ? segment !== part : segment === '') return undefined;
      if (name !== undefined) params.push([name, segment]);
    }
    return params;
  };
}

const splitQuery = (path: string) => {
  const at = path.indexOf('?');
  return at < 0 ? [path] : [path.slice(0, at), path.slice(at + 1)];
};

function withQuery(target: string, params: Params, query: string): string {
  // A segment is percent-encoded as it stands, and so it may stand in a query; but & and = would end it there.
  const added = params.map(([name, value]) => `${encodeURIComponent(name)}=${value.replace(/[&=+]/g, encodeURIComponent)}`);
  const all = [...(query === '' ? [] : [query]), ...added].join('&');
  return all === '' ? target : `${target}${target.includes('?') ? '&' : '?'}${all}`;
}
