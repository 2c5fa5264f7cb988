import { createPrivateKey, X509Certificate } from 'node:crypto';
import type { EndpointSecret, MetadataItem } from '../../gen/weft/config/v1/config.js';
import { resolveItem, type SecretResolver } from '../component-spec.js';

/** What Envoy can be given. All of it is secret, but for certificates. */
export type SecretValue =
  | { readonly kind: 'header'; readonly value: string }
  | { readonly kind: 'keyPair'; readonly certificate: string; readonly privateKey: string }
  | { readonly kind: 'trustedCa'; readonly pem: string };

export interface SecretSources {
  readonly host: { readonly readSecret: SecretResolver };
  readonly env: Readonly<Record<string, string | undefined>>;
}

const MAX_HEADER_BYTES = 16 * 1024;
const MAX_PEM_BYTES = 256 * 1024;

/**
 * @returns a secret as Envoy will take it
 * @throws Error with field, place and remedy, and nothing of the value
 */
export async function readEndpointSecret(
  { kind }: EndpointSecret,
  secretStore: string,
  sources: SecretSources,
): Promise<SecretValue> {
  const read = (item: MetadataItem | undefined) => readItem(item, secretStore, sources);
  switch (kind?.$case) {
    case 'header':
      return { kind: 'header', value: checkedHeader(kind.value.name, await read(kind.value)) };
    case 'keyPair': {
      const [certificate, privateKey] = await Promise.all([read(kind.value.certificate), read(kind.value.privateKey)]);
      checkPair(certificate, privateKey);
      return { kind: 'keyPair', certificate, privateKey };
    }
    case 'trustedCa': {
      const pem = await read(kind.value);
      certificateOf('clientTLS.rootCA', pem);
      return { kind: 'trustedCa', pem };
    }
    default:
      throw new Error('has a secret of a kind that this sidecar does not know; update the sidecar');
  }
}

async function readItem(item: MetadataItem | undefined, secretStore: string, { host, env }: SecretSources): Promise<string> {
  if (!item) throw new Error('has a secret without a source; update the control plane');
  const what = item.name.startsWith('clientTLS.') ? item.name : `header ${item.name}`;
  const value = await resolveItem(item, { what, secretStore }, { env, resolveSecret: host.readSecret });
  if (value !== '') return value;
  if (item.from?.$case === 'envRef')
    throw new Error(`${what}: environment variable ${item.from.value} of the sidecar is not set; set it`);
  throw new Error(`${what} is empty; give it a value`);
}

function checkedHeader(name: string, value: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they would end the header
  if (/[\u0000-\u0008\u000a-\u001f\u007f]/.test(value))
    throw new Error(`header ${name}: the value has a control character, perhaps a line end; remove it from the secret`);
  if (Buffer.byteLength(value) > MAX_HEADER_BYTES)
    throw new Error(`header ${name}: the value is longer than ${MAX_HEADER_BYTES} bytes; shorten it`);
  return value;
}

function checkPair(certificate: string, privateKey: string): void {
  const leaf = certificateOf('clientTLS.certificate', certificate);
  const key = parsed('clientTLS.privateKey', 'a private key', () => createPrivateKey(privateKey));
  if (!leaf.checkPrivateKey(key)) throw new Error('clientTLS.privateKey is not the key of clientTLS.certificate; give the pair');
}

function certificateOf(what: string, pem: string): X509Certificate {
  if (Buffer.byteLength(pem) > MAX_PEM_BYTES) throw new Error(`${what} is longer than ${MAX_PEM_BYTES} bytes; shorten it`);
  return parsed(what, 'a certificate', () => new X509Certificate(pem));
}

/** OpenSSL's own words are left out: they may quote what they were given. */
function parsed<T>(what: string, kind: string, parse: () => T): T {
  try {
    return parse();
  } catch {
    throw new Error(`${what} cannot be read as ${kind} in PEM; give the text itself, unencrypted`);
  }
}
