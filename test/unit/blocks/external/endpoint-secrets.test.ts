import { beforeEach, expect, it } from 'vitest';
import { type EndpointSecrets, followEndpointSecrets } from '../../../../src/blocks/external/endpoint-secrets.js';
import { HttpEndpoint } from '../../../../src/gen/weft/config/v1/config.js';
import { silentLogger } from '../../../../src/telemetry/logger.js';
import { type FakeConfigSource, fakeConfigSource } from '../../../support/config-source.js';
import { eventually } from '../../../support/eventually.js';
import { createFakeClock, type FakeClock } from '../../../support/fake-clock.js';
import { createWebAuthority } from '../../../support/web-certificates.js';

/** What the sidecar reads for external services, without Envoy. */

let vault: Record<string, string>;
let source: FakeConfigSource;
let clock: FakeClock;
let secrets: EndpointSecrets;
let storeChanged: () => void;
let changes: number;

beforeEach(() => {
  vault = {};
  changes = 0;
  source = fakeConfigSource();
  clock = createFakeClock();
  secrets = followEndpointSecrets({
    source,
    clock,
    env: { SET: 'from env', DAPR_API_TOKEN: 'ours' },
    logger: silentLogger,
    host: {
      async readSecret(store, secret) {
        const value = vault[`${store}/${secret}`];
        if (!value) throw new Error(`secret ${secret} not found`);
        return value;
      },
      onChange(listener) {
        storeChanged = () => void listener({ kind: 'added', block: 'secrets', name: 'vault' });
        return () => {};
      },
    },
  });
  secrets.onChange(() => {
    changes += 1;
  });
});

const ref = (name: string) => ({ name: 'x-key', from: { $case: 'secretKeyRef', value: { name, key: name } } }) as const;
type Kind = NonNullable<HttpEndpoint['secrets'][number]['kind']>;
const push = (kind: Kind, secretStore = 'vault') =>
  source.push('externalEndpoint', {
    'default/pay': HttpEndpoint.fromPartial({ name: 'pay', secretStore, source: 'a.yaml', secrets: [{ name: 's', kind }] }),
  });
const header = (from: Extract<Kind, { $case: 'header' }>['value']['from']): Kind => ({
  $case: 'header',
  value: { name: 'x-key', from },
});
const valueNow = () => secrets.get('s')?.value;

it('knows nothing of an endpoint that nobody has named', () => {
  expect(secrets.get('s')).toBeUndefined();
});

it('tells a secret that cannot be read, and reads it when its store has come', async () => {
  await push({ $case: 'header', value: ref('key') });
  expect(secrets.get('s')).toMatchObject({ kind: 'header', value: undefined });
  expect(secrets.problems()).toEqual([
    'HTTPEndpoint pay (a.yaml): header x-key refers to secret key of store vault: secret key not found',
  ]);
  vault['vault/key'] = 'v1';
  storeChanged();
  await eventually(() => expect(valueNow()).toEqual({ kind: 'header', value: 'v1' }));
  expect(secrets.problems()).toEqual([]);
});

it('follows a secret, under another version each time, and keeps the last one while it cannot be read', async () => {
  vault['vault/key'] = 'v1';
  await push({ $case: 'header', value: ref('key') });
  const first = secrets.get('s');
  vault['vault/key'] = 'v2';
  clock.advance(10_000);
  await eventually(() => expect(valueNow()).toEqual({ kind: 'header', value: 'v2' }));
  expect(secrets.get('s')?.version).not.toBe(first?.version);
  vault = {};
  clock.advance(10_000);
  await eventually(() => expect(secrets.problems()).toHaveLength(1));
  expect(valueNow()).toEqual({ kind: 'header', value: 'v2' });
});

it('tells nobody of a reading that found the same', async () => {
  vault['vault/key'] = 'v1';
  await push({ $case: 'header', value: ref('key') });
  expect(changes).toBe(1);
  clock.advance(10_000);
  await eventually(() => expect(clock.pending).toBe(1));
  expect(changes).toBe(1);
});

it('asks nobody again for what stands in the document', async () => {
  await push(header({ $case: 'value', value: 'v' }));
  expect(valueNow()).toEqual({ kind: 'header', value: 'v' });
  expect(clock.pending).toBe(0);
});

it.each<[string, Kind, string, RegExp]>([
  ['no store', { $case: 'header', value: ref('key') }, '', /no store is named; add auth/],
  [
    'a variable that is not set',
    header({ $case: 'envRef', value: 'UNSET' }),
    'vault',
    /variable UNSET of the sidecar is not set; set it/,
  ],
  ['a variable that is ours', header({ $case: 'envRef', value: 'DAPR_API_TOKEN' }), 'vault', /may not refer to/],
  ['a line end', header({ $case: 'value', value: 'hush\n' }), 'vault', /control character, perhaps a line end; remove it/],
  ['a value without end', header({ $case: 'value', value: 'hush'.repeat(5000) }), 'vault', /longer than 16384 bytes/],
  [
    'no PEM',
    { $case: 'trustedCa', value: { name: 'clientTLS.rootCA', from: { $case: 'value', value: 'hush' } } },
    '',
    /rootCA cannot be read as a certificate/,
  ],
])('says what is wrong with %s, and nothing of the value', async (_, kind, store, problem) => {
  await push(kind, store);
  expect(secrets.problems().join()).toMatch(problem);
  expect(secrets.problems().join()).not.toContain('hush');
  expect(valueNow()).toBeUndefined();
});

it('takes a certificate only with its own key', async () => {
  const web = await createWebAuthority();
  const [mine, other] = [await web.issue('a'), await web.issue('b')];
  const item = (name: string, value: string) => ({ name, from: { $case: 'value', value } }) as const;
  const pair = (key: string): Kind => ({
    $case: 'keyPair',
    value: { certificate: item('clientTLS.certificate', mine.cert), privateKey: item('clientTLS.privateKey', key) },
  });
  await push(pair(other.key));
  expect(secrets.problems().join()).toContain('clientTLS.privateKey is not the key of clientTLS.certificate');
  await push(pair(mine.key));
  expect(valueNow()).toEqual({ kind: 'keyPair', certificate: mine.cert, privateKey: mine.key });
});

it('forgets an endpoint that is gone', async () => {
  await push(header({ $case: 'value', value: 'v' }));
  await source.push('externalEndpoint', {}, ['default/pay']);
  expect(secrets.get('s')).toBeUndefined();
  expect(secrets.endpoints()).toEqual([]);
});
