import { generateKeyPair as generate, sign } from 'node:crypto';
import { promisify } from 'node:util';

export interface KeyAndCsr {
  /** PKCS#8 PEM. Secret: it goes to Envoy over the SDS socket and nowhere else. */
  readonly privateKeyPem: string;
  /** PKCS#10, DER. */
  readonly csr: Uint8Array;
}

const generateKeyPair = promisify(generate);

/** DER tags (X.690) that a request needs. */
const TAG = { bitString: 0x03, sequence: 0x30, attributes: 0xa0 } as const;
const VERSION_0 = Buffer.from('020100', 'hex');
/** `O=Weft`; the authority ignores it: the identity is the URI SAN that it writes itself. */
const SUBJECT = Buffer.from('300f310d300b060355040a0c0457656674', 'hex');
/** ecdsa-with-SHA256, 1.2.840.10045.4.3.2. */
const ECDSA_SHA256 = Buffer.from('300a06082a8648ce3d040302', 'hex');

/**
 * Makes a fresh P-256 key and a request for it (RFC 2986): a new key for every certificate, so that a leaked one is short-lived too.
 * Written out, since the X.509 library of the authority would cost every sidecar 20 MB and 0.4 s for these few fixed fields.
 */
export async function createKeyAndCsr(): Promise<KeyAndCsr> {
  const { publicKey, privateKey } = await generateKeyPair('ec', { namedCurve: 'P-256' });
  const spki = publicKey.export({ type: 'spki', format: 'der' });
  const info = der(TAG.sequence, VERSION_0, SUBJECT, spki, der(TAG.attributes));
  const signature = der(TAG.bitString, Buffer.from([0]), sign('sha256', info, privateKey));
  return {
    privateKeyPem: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    csr: der(TAG.sequence, info, ECDSA_SHA256, signature),
  };
}

function der(tag: number, ...parts: readonly Buffer[]): Buffer {
  const body = Buffer.concat(parts);
  const length = body.length < 0x80 ? [body.length] : [0x81, body.length];
  if (body.length > 0xff) throw new RangeError('a P-256 request is never this long');
  return Buffer.concat([Buffer.from([tag, ...length]), body]);
}
