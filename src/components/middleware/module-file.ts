import { readFileSync, statSync } from 'node:fs';
import { dirname, extname, isAbsolute, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { ComponentFactory, ComponentSpec } from '../../blocks/component.js';
import type { HttpMiddleware } from '../../blocks/middleware/contract.js';
import { HANDLERS, type MiddlewareModule } from '../../blocks/middleware/middleware-module.js';
import { messageOf } from '../../errors.js';

/** A middleware that is a file of JavaScript or TypeScript with handlers. */
export const createModuleMiddleware: ComponentFactory<HttpMiddleware> = async (spec) => {
  const path = pathOf(spec);
  const exported = await load(path).catch((error: unknown) => {
    throw new Error(`metadata module: ${path} cannot be loaded (${messageOf(error)}); correct it`);
  });
  return { capabilities: [], module: checked(exported.default, path), close: async () => {} };
};

/** Relative to the file that the component stands in. */
function pathOf({ metadata, source }: ComponentSpec): string {
  const written = metadata.get('module') ?? '';
  if (isAbsolute(written)) return written;
  const file = source.replace(/ document \d+$/, '');
  if (!isAbsolute(file)) throw new Error('metadata module: is relative to no file; write an absolute path');
  return resolve(dirname(file), written);
}

async function load(path: string): Promise<{ readonly default?: unknown }> {
  // Another content is another module: Node keeps what it has loaded.
  const version = statSync(path).mtimeMs;
  if (!/^\.[mc]?ts$/.test(extname(path)) || hasTypeScript()) return import(`${pathToFileURL(path).href}?v=${version}`);
  const { transform } = await import('sucrase');
  const { code } = transform(readFileSync(path, 'utf8'), {
    transforms: ['typescript'],
    disableESTransforms: true,
    filePath: path,
  });
  return import(`data:text/javascript;base64,${Buffer.from(`${code}\n// ${version}`).toString('base64')}`);
}

/** From Node 22.18 on. Before, a file in TypeScript stands for itself: it can import packages of Node, and no other files. */
const hasTypeScript = () => Boolean((process.features as { readonly typescript?: unknown }).typescript);

function checked(module: unknown, path: string): MiddlewareModule {
  const handlers = Object.keys(HANDLERS);
  if (typeof module !== 'object' || module === null)
    throw new Error(
      `metadata module: ${path} has no default export with handlers; export default { onRequestHeaders(request) {} }`,
    );
  const functions = Object.entries(module).filter(([, value]) => typeof value === 'function');
  const odd = Object.keys(module).find((key) => /^on[A-Z]/.test(key) && !handlers.includes(key));
  if (odd !== undefined)
    throw new Error(`metadata module: ${path} has ${odd}, which is none of ${handlers.join(', ')}; rename it`);
  if (!functions.some(([name]) => handlers.includes(name)))
    throw new Error(`metadata module: ${path} has no handler; add one of ${handlers.join(', ')}`);
  return module as MiddlewareModule;
}
