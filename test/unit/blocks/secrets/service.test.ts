import { describe, expect, it } from 'vitest';
import { createComponentHost } from '../../../../src/blocks/component-host.js';
import { mayRead, type SecretScope } from '../../../../src/blocks/secrets/scopes.js';
import { createSecretService } from '../../../../src/blocks/secrets/service.js';
import { componentTypes } from '../../../../src/components/index.js';
import { componentDeps } from '../../../support/component-deps.js';
import { component, fakeConfigSource } from '../../../support/config-source.js';

async function rig(scopes: readonly SecretScope[] = [], withStore = true) {
  process.env.SHOP_KEY = 'k';
  process.env.SHOP_PIN = 'p';
  process.env.SHOP_DAPR_API_TOKEN = 't';
  const source = fakeConfigSource();
  const host = createComponentHost({ source, types: componentTypes, deps: componentDeps('/nowhere') });
  if (withStore)
    await source.push('component', { 'default/env': component('env', 'secretstores.local.env', { prefix: 'SHOP_' }) });
  return createSecretService({ host, scopes: () => scopes });
}

describe('secrets', () => {
  it('are read one by one and all together', async () => {
    const service = await rig();
    expect(await service.get('env', 'KEY', {})).toEqual({ KEY: 'k' });
    expect(await service.get('env', 'UNSET', {})).toEqual({ UNSET: '' });
    expect(await service.getAll('env', {})).toMatchObject({ KEY: { KEY: 'k' }, PIN: { PIN: 'p' } });
  });

  it('are what the scopes leave, and a denial comes before the store is asked', async () => {
    const service = await rig([{ storeName: 'env', defaultAccess: 'deny', allowedSecrets: ['KEY'] }]);
    expect(await service.getAll('env', {})).toEqual({ KEY: { KEY: 'k' } });
    await expect(service.get('env', 'PIN', {})).rejects.toMatchObject({
      row: { http: 403, errorCode: 'ERR_PERMISSION_DENIED' },
      message: 'access denied by policy to get "PIN" from "env"',
    });
    await expect(service.get('env', 'no such', {})).rejects.toMatchObject({ code: 'secretDenied' });
  });

  it('of a store that is not there are Dapr’s errors', async () => {
    await expect((await rig([], false)).get('x', 'k', {})).rejects.toMatchObject({
      row: { http: 500, errorCode: 'ERR_SECRET_STORES_NOT_CONFIGURED' },
    });
    await expect((await rig()).getAll('x', {})).rejects.toMatchObject({
      row: { http: 401, errorCode: 'ERR_SECRET_STORE_NOT_FOUND' },
    });
  });
});

it.each<[string, Partial<SecretScope>, boolean]>([
  ['nothing is said', {}, true],
  ['the default denies', { defaultAccess: 'deny' }, false],
  ['the default denies in capitals', { defaultAccess: 'Deny' }, false],
  ['it is on the list of allowed ones', { defaultAccess: 'deny', allowedSecrets: ['a'] }, true],
  ['others are allowed', { defaultAccess: 'allow', allowedSecrets: ['b'] }, false],
  ['it is denied by name', { deniedSecrets: ['a'] }, false],
  ['it is on both lists', { allowedSecrets: ['a'], deniedSecrets: ['a'] }, true],
])('whether an app may read a secret when %s', (_, scope, expected) => {
  expect(
    mayRead(
      [
        { storeName: 'other', defaultAccess: 'deny' },
        { storeName: 's', ...scope },
      ],
      's',
      'a',
    ),
  ).toBe(expected);
});
