import { describe, expect, it } from 'vitest';
import { externalEndpoint, originSpellings } from '../../../src/model/external/endpoint.js';
import { endpointSecrets } from '../../../src/model/external/endpoint-secrets.js';
import { httpEndpointSchema } from '../../../src/model/resources/kinds/http-endpoint.js';

const endpoint = (baseUrl: string, rest: object = {}) =>
  externalEndpoint({ name: 'svc', namespace: '', spec: { baseUrl, ...rest } });

describe('an external endpoint', () => {
  it.each([
    ['https://api.example.com', { host: 'api.example.com', port: 443, basePath: '', authority: 'api.example.com' }],
    [
      'http://api.example.com:8080/v2/',
      { host: 'api.example.com', port: 8080, basePath: '/v2', authority: 'api.example.com:8080' },
    ],
    ['https://[::1]:8443/a/b', { host: '::1', port: 8443, basePath: '/a/b', authority: '[::1]:8443' }],
  ])('%s', (url, parts) => {
    expect(endpoint(url)).toMatchObject(parts);
    expect(endpoint(url).tls !== undefined).toBe(url.startsWith('https:'));
  });

  it('is checked against its host, and an address is sent as no name', () => {
    expect(endpoint('https://api.example.com').tls).toMatchObject({ serverName: 'api.example.com', isAddress: false });
    expect(endpoint('https://10.0.0.1').tls).toMatchObject({ serverName: '10.0.0.1', isAddress: true });
  });

  it('may be called by its URL, in every spelling that clients use', () => {
    expect(originSpellings(endpoint('https://api.example.com')).inPath).toEqual([
      'https:/api.example.com',
      'https%3A%2F%2Fapi.example.com',
      'https%3a%2f%2fapi.example.com',
      'https:%2F%2Fapi.example.com',
      'https:/api.example.com:443',
      'https%3A%2F%2Fapi.example.com%3A443',
      'https%3a%2f%2fapi.example.com%3a443',
      'https:%2F%2Fapi.example.com:443',
    ]);
    expect(originSpellings(endpoint('http://h:81')).inHeader).toEqual(['http://h:81']);
  });
});

describe('its secrets', () => {
  const spec = (headers: object[], baseUrl = 'https://h') => ({
    name: 'svc',
    namespace: '',
    source: 'a.yaml',
    spec: { baseUrl, headers },
  });
  const literal = (value: string) => spec([{ name: 'X-Key', value }]);
  const names = (resource: ReturnType<typeof spec>) => endpointSecrets(resource).secrets.map(({ name }) => name);
  it('are the same to Envoy and to the sidecar', () => {
    expect(names(literal('a'))).toEqual(externalEndpoint(literal('a')).headers.map(({ secret }) => secret));
  });
  it('have names that tell nothing of a value', () => {
    expect(names(literal('a'))).toEqual(names(literal('b')));
  });
  it.each([
    ['another host', spec([{ name: 'X-Key', value: 'a' }], 'https://other')],
    ['another place', spec([{ name: 'X-Key', envRef: 'A' }])],
    ['a store', { ...literal('a'), secretStore: 'vault' }],
  ])('have other names for %s: an old value never gets there', (_, other) => {
    expect(names(other)).not.toEqual(names(literal('a')));
  });
  it('that differ in the case of their header are one, the last', () => {
    const { secrets } = endpointSecrets(
      spec([
        { name: 'X-Key', value: 'a' },
        { name: 'x-key', value: 'b' },
      ]),
    );
    expect(secrets.map(({ kind }) => kind)).toEqual([
      { $case: 'header', value: { name: 'x-key', from: { $case: 'value', value: 'b' } } },
    ]);
  });
});

describe('its resource', () => {
  const problems = (spec: object) =>
    httpEndpointSchema
      .safeParse({ apiVersion: 'dapr.io/v1alpha1', kind: 'HTTPEndpoint', metadata: { name: 'svc' }, spec })
      .error?.issues.map(({ message }) => message) ?? [];
  const baseUrl = 'https://api.example.com';
  const pem = { value: '-----BEGIN CERTIFICATE-----' };
  it.each([
    ['ftp', { baseUrl: 'ftp://x' }],
    ['a user', { baseUrl: 'https://user:pass@x' }],
    ['a query', { baseUrl: 'https://x?y' }],
    ['a header with a line end', { baseUrl, headers: [{ name: 'a', value: 'x\r\ny' }] }],
    ['a header that Envoy keeps', { baseUrl, headers: [{ name: 'Host', value: 'x' }] }],
    ['a header with a bad name', { baseUrl, headers: [{ name: 'a b', value: 'x' }] }],
    ['a CA from nowhere', { baseUrl, clientTLS: { rootCA: {} } }],
    ['a CA from two places', { baseUrl, clientTLS: { rootCA: { ...pem, secretKeyRef: { name: 's' } } } }],
    ['a header from a variable with a bad name', { baseUrl, headers: [{ name: 'a', envRef: 'A)%B' }] }],
    ['half a client certificate', { baseUrl, clientTLS: { certificate: pem } }],
    ['a CA that is no PEM', { baseUrl, clientTLS: { rootCA: { value: '/etc/ca.pem' } } }],
  ])('with %s is refused', (_, spec) => expect(problems(spec)).not.toEqual([]));
  it('with a name that could be another’s cluster is refused', () => {
    const named = { apiVersion: 'dapr.io/v1alpha1', kind: 'HTTPEndpoint', metadata: { name: 'svc|url' }, spec: { baseUrl } };
    expect(httpEndpointSchema.safeParse(named).error?.issues.map(({ path }) => path.join('.'))).toEqual(['metadata.name']);
  });
  it('with all that it may have is taken', () => {
    const headers = [
      { name: 'x-key', value: '100%' },
      { name: 'authorization', envRef: 'MY_TOKEN' },
      { name: 'x-secret', secretKeyRef: { name: 's', key: 'k' } },
    ];
    expect(
      problems({ baseUrl, headers, clientTLS: { rootCA: pem, certificate: pem, privateKey: pem, renegotiation: 'Never' } }),
    ).toEqual([]);
  });
});
