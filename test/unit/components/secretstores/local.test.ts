import { utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createEnvSecretStore } from '../../../../src/components/secretstores/local-env.js';
import { createFileSecretStore } from '../../../../src/components/secretstores/local-file.js';
import { componentDeps, componentSpec, testDir } from '../../../support/component-deps.js';

function inFile(content: string, metadata: Record<string, string> = {}) {
  const secretsFile = join(testDir(), 'secrets.json');
  writeFileSync(secretsFile, content);
  const make = () =>
    createFileSecretStore(componentSpec('secretstores.local.file', { secretsFile, ...metadata }), componentDeps('/'));
  return { secretsFile, make };
}
const NESTED = JSON.stringify({ plain: 'p', redis: { password: 'pw', port: 6379, hosts: ['a', 'b'] }, off: false, none: null });

describe('secretstores.local.file', () => {
  it('joins nested names', async () => {
    const store = await inFile(NESTED).make();
    expect(await store.get('redis:password', {})).toEqual({ 'redis:password': 'pw' });
    expect(Object.keys(await store.getAll({}))).toEqual([
      ...['plain', 'redis:password', 'redis:port', 'redis:hosts:0', 'redis:hosts:1', 'off', 'none'],
    ]);
    expect(await store.get('redis:port', {})).toEqual({ 'redis:port': '6379' });
    await expect(store.get('redis', {})).rejects.toThrow('secret redis not found');
    await expect(store.get('__proto__', {})).rejects.toThrow('not found');
    expect(store.capabilities).toEqual([]);
  });

  it('joins them by another separator', async () => {
    const store = await inFile(NESTED, { nestedSeparator: '.' }).make();
    expect(await store.get('redis.hosts.1', {})).toEqual({ 'redis.hosts.1': 'b' });
  });

  it('keeps the keys of a secret together when it is multi-valued', async () => {
    const store = await inFile(NESTED, { multiValued: 'true' }).make();
    expect(await store.get('redis', {})).toEqual({ password: 'pw', port: '6379', 'hosts:0': 'a', 'hosts:1': 'b' });
    expect(await store.get('plain', {})).toEqual({ plain: 'p' });
    expect(store.capabilities).toEqual(['MULTIPLE_KEY_VALUES_PER_SECRET']);
  });

  it('has what the file says now, and what it said last while it is broken', async () => {
    const { secretsFile, make } = inFile('{"a":"1"}');
    const store = await make();
    const write = (text: string, at: number) => {
      writeFileSync(secretsFile, text);
      utimesSync(secretsFile, at, at);
    };
    write('{"a":"2"}', 1);
    expect(await store.get('a', {})).toEqual({ a: '2' });
    write('{"a":', 2);
    expect(await store.get('a', {})).toEqual({ a: '2' });
    write('{"a":"3"}', 3);
    expect(await store.get('a', {})).toEqual({ a: '3' });
  });

  it.each([
    ['{"a":"hush', 'is not JSON'],
    ['["hush"]', 'must hold a JSON object'],
  ])('says what is wrong with %s and nothing of what it holds', async (content, message) => {
    const { make } = inFile(content);
    const error = await make().catch(String);
    expect(error).toContain(message);
    expect(error).not.toContain('hush');
  });

  it('names the file that is not there, and the item that is missing', async () => {
    const make = (metadata: Record<string, string>) =>
      createFileSecretStore(componentSpec('secretstores.local.file', metadata), componentDeps('/'));
    await expect(make({ secretsFile: '/nowhere/s.json' })).rejects.toThrow('secretsFile: /nowhere/s.json cannot be read: ENOENT');
    await expect(make({})).rejects.toThrow('metadata secretsFile: is required');
  });
});

it('secretstores.local.env hands out nothing of Dapr’s own', async () => {
  process.env.DAPR_API_TOKEN = 'hush';
  process.env.APP_API_TOKEN = 'hush';
  try {
    const store = await createEnvSecretStore(componentSpec('secretstores.local.env'), componentDeps('/'));
    expect(await store.get('DAPR_API_TOKEN', {})).toEqual({ DAPR_API_TOKEN: '' });
    const all = JSON.stringify(await store.getAll({}));
    expect(all).toContain('"PATH"');
    expect(all).not.toContain('hush');
  } finally {
    delete process.env.DAPR_API_TOKEN;
    delete process.env.APP_API_TOKEN;
  }
});
