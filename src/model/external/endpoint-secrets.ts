import { createHash } from 'node:crypto';
import type { EndpointSecret, HttpEndpoint, MetadataItem } from '../../gen/weft/config/v1/config.js';
import type { HttpEndpointResource, HttpEndpointSpec, ValueSource } from './spec.js';

/**
 * What an external service is sent and nobody else may see: values of headers, a client's key. The control plane gives Envoy their names
 * only; each sidecar reads the values and serves them to its own Envoy by SDS.
 */

type Header = NonNullable<HttpEndpointSpec['headers']>[number];

/** @returns what the sidecar must read for the calls of an endpoint */
export function endpointSecrets(resource: HttpEndpointResource & { readonly source: string }): HttpEndpoint {
  const { name, namespace, source, secretStore = '' } = resource;
  const { headers = [], clientTLS = {} } = resource.spec as HttpEndpointSpec;
  const { rootCA, certificate, privateKey } = clientTLS;
  const names = secretNames(resource);
  const secrets: EndpointSecret[] = lastOfEach(headers)
    .filter((header) => !isEmpty(header))
    .map((header) => ({ name: names.header(header.name), kind: { $case: 'header', value: item(header.name, header) } }));
  if (rootCA?.secretKeyRef)
    secrets.push({ name: names.rootCa, kind: { $case: 'trustedCa', value: item('clientTLS.rootCA', rootCA) } });
  if (certificate && privateKey) {
    const value = {
      certificate: item('clientTLS.certificate', certificate),
      privateKey: item('clientTLS.privateKey', privateKey),
    };
    secrets.push({ name: names.client, kind: { $case: 'keyPair', value } });
  }
  return { name, namespace, secrets, secretStore, source };
}

/**
 * @returns the names of an endpoint's secrets. They differ where host or places of secrets differ, so that what was read for one host never
 * gets to another; nothing of a value is in them.
 */
export function secretNames({ name, namespace, spec, secretStore = '' }: HttpEndpointResource) {
  const { baseUrl, headers = [], clientTLS = {} } = spec as HttpEndpointSpec;
  const { rootCA, certificate, privateKey } = clientTLS;
  const places = [
    baseUrl,
    secretStore,
    headers.map((header) => [header.name, place(header)]),
    [rootCA, certificate, privateKey].map((source) => source && place(source)),
  ];
  const digest = createHash('sha256').update(JSON.stringify(places)).digest('hex').slice(0, 12);
  const of = (what: string) => `external|${namespace}|${name}|${digest}|${what}`;
  return { header: (header: string) => of(`header ${header.toLowerCase()}`), rootCa: of('root-ca'), client: of('client') };
}

const place = ({ secretKeyRef, envRef }: ValueSource) => [secretKeyRef?.name, secretKeyRef?.key, envRef];

/** Written down as empty: Envoy's filter takes that for a missing secret. */
export const isEmpty = ({ value, secretKeyRef, envRef }: ValueSource): boolean =>
  !secretKeyRef && !envRef && String(value ?? '') === '';

/** @returns of headers that differ in case only the last one, under its name in lower case */
export const lastOfEach = (headers: readonly Header[]): readonly Header[] => [
  ...new Map(headers.map((header) => [header.name.toLowerCase(), { ...header, name: header.name.toLowerCase() }])).values(),
];

function item(name: string, { value, secretKeyRef, envRef }: ValueSource): MetadataItem {
  if (secretKeyRef)
    return {
      name,
      from: { $case: 'secretKeyRef', value: { name: secretKeyRef.name, key: secretKeyRef.key || secretKeyRef.name } },
    };
  return { name, from: envRef ? { $case: 'envRef', value: envRef } : { $case: 'value', value: String(value ?? '') } };
}
