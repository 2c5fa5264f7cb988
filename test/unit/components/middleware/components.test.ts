import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { ComponentFactory } from '../../../../src/blocks/component.js';
import type { HttpMiddleware } from '../../../../src/blocks/middleware/contract.js';
import { phasesOf } from '../../../../src/blocks/middleware/middleware-module.js';
import { createBearer } from '../../../../src/components/middleware/bearer.js';
import { createClientSecretMiddleware } from '../../../../src/components/middleware/client-secret.js';
import { createModuleMiddleware } from '../../../../src/components/middleware/module-file.js';
import { createRouterAlias } from '../../../../src/components/middleware/router-alias.js';
import { startTokenIssuer } from '../../../support/token-issuer.js';

const dir = mkdtempSync(join(tmpdir(), 'weft-modules-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const make = (factory: ComponentFactory<HttpMiddleware>, metadata: Record<string, string>) =>
  factory(
    { name: 'it', type: 'x', version: 'v1', metadata: new Map(Object.entries(metadata)), source: `${dir}/all.yaml document 1` },
    {} as never,
  );

describe('a module', () => {
  const load = (file: string, text: string) => {
    writeFileSync(join(dir, file), text);
    return make(createModuleMiddleware, { module: `./${file}` });
  };
  it('is TypeScript or JavaScript, beside the file of its component', async () => {
    for (const file of ['a.ts', 'a.mts']) {
      const { module } = await load(
        file,
        'type T = string;\nexport default { onRequestHeaders: (r: { path: T }) => ({ path: r.path as T }) };',
      );
      expect(await module?.onRequestHeaders?.({ method: '', path: '/x', headers: {} })).toEqual({ path: '/x' });
    }
    expect((await load('b.mjs', 'export default { onResponseBody: () => null };')).module?.onResponseBody).toBeDefined();
  });
  it('tells what it wants to see; a body comes with its headers', async () => {
    const { module } = await load('c.mjs', 'export default { onRequestBody: () => null, onResponseHeaders: () => null };');
    expect(phasesOf(module ?? {})).toEqual(['request-body', 'request-headers', 'response-headers']);
  });
  it('is read again when its content is another', async () => {
    const value = async (text: string) => {
      const { module } = await load('d.ts', text);
      return module?.onRequestHeaders?.({ method: '', path: '', headers: {} });
    };
    expect(await value("export default { onRequestHeaders: () => ({ path: '/1' }) };")).toEqual({ path: '/1' });
    expect(await value("export default { onRequestHeaders: () => ({ path: '/2' }) };")).toEqual({ path: '/2' });
  });
  it.each([
    ['e.mjs', 'export const x = 1;', /has no default export with handlers/],
    ['f.mjs', 'export default {};', /has no handler; add one of onRequestHeaders/],
    ['g.mjs', 'export default { onRequestHeader: () => null };', /has onRequestHeader, which is none of/],
    ['h.ts', 'export default {', /cannot be loaded/],
  ])('%s is refused', async (file, text, error) => {
    await expect(load(file, text)).rejects.toThrow(error);
  });
  it('that is not there is refused', async () => {
    await expect(make(createModuleMiddleware, { module: './nothing.ts' })).rejects.toThrow(/nothing\.ts cannot be loaded/);
  });
});

describe('aliases of paths', () => {
  const alias = async (routes: unknown, path: string) => {
    const { module } = await make(createRouterAlias, { routes: typeof routes === 'string' ? routes : JSON.stringify(routes) });
    return module?.onRequestHeaders?.({ method: 'GET', path, headers: {} });
  };
  it.each([
    ['/a', { path: '/b' }],
    ['/a?x=1', { path: '/b?x=1' }],
    ['/hello/w%20d/info?x=1', { path: '/v1.0/invoke/s/method/h?x=1&id=w%20d' }],
    ['/hello/a&b=c/info', { path: '/v1.0/invoke/s/method/h?id=a%26b%3Dc' }],
    ['/hello//info', undefined],
    ['/hello/x', undefined],
    ['/other', undefined],
  ])('%s', async (path, outcome) => {
    expect(await alias({ '/a': '/b', '/hello/{id}/info': '/v1.0/invoke/s/method/h' }, path)).toEqual(outcome);
  });
  it('may be YAML', async () => {
    expect(await alias('/a: /b', '/a')).toEqual({ path: '/b' });
  });
  it.each(['[1]', '{"a": "/b"}', '{"/a": 1}', '{"/a": "b"}', '{'])('%s are refused', async (routes) => {
    await expect(alias(routes, '/')).rejects.toThrow(/metadata routes/);
  });
});

it('the secrets of OAuth2: the client’s, and one of all its instances for their cookies', async () => {
  const secrets = async (clientsecret: string) => (await make(createClientSecretMiddleware, { clientsecret })).secrets;
  const [a, b, c] = [await secrets('one'), await secrets('one'), await secrets('two')];
  expect(a).toEqual(b);
  expect(a?.get('clientSecret')).toBe('one');
  expect(a?.get('hmac')).toMatch(/^[0-9a-f]{64}$/);
  expect(c?.get('hmac')).not.toBe(a?.get('hmac'));
  await expect(secrets('')).rejects.toThrow(/clientSecret is empty/);
});

describe('the keys of an issuer', () => {
  it('are where it says', async () => {
    const issuer = await startTokenIssuer('a');
    expect((await make(createBearer, { issuer: issuer.url })).jwksUrl).toBe(`${issuer.url}/keys`);
    await expect(make(createBearer, { issuer: `${issuer.url}/` })).rejects.toThrow(/is of another issuer/);
    await issuer.close();
    await expect(make(createBearer, { issuer: issuer.url })).rejects.toThrow(
      /gives no OpenID configuration .*; start the issuer, or add jwksURL/,
    );
  });
  it('are not asked for where the component has them', async () => {
    expect((await make(createBearer, { issuer: 'x', jwksurl: 'http://127.0.0.1:1/keys' })).jwksUrl).toBeUndefined();
    await expect(make(createBearer, { issuer: 'me' })).rejects.toThrow(/issuer is no URL/);
  });
  it.each(['{}', '"x"', 'nonsense', 'x'.repeat(300_000)])('are not read from what is none', async (body) => {
    const server = createServer((_, response) => response.end(body));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    await expect(make(createBearer, { issuer: url })).rejects.toThrow(/OpenID configuration|of another issuer/);
    server.closeAllConnections();
    server.close();
  });
});
