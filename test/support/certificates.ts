import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect, type TLSSocket } from 'node:tls';
import { createRoot, type Issuer } from '../../src/control/ca/authority.js';
import {
  exportPrivateKey,
  generateKeyPair,
  importPrivateKey,
  randomSerial,
  SIGNING_ALGORITHM,
  x509,
} from '../../src/lib/x509.js';

/** A client certificate with its key, PEM. */
export interface Leaf {
  readonly cert: string;
  readonly key: string;
}

export interface LeafOptions {
  readonly uris?: readonly string[];
  readonly dns?: readonly string[];
  readonly ca?: boolean;
  /** Undefined: no extension at all. */
  readonly keyUsage?: x509.KeyUsageFlags | undefined;
  /** Milliseconds from now. */
  readonly notBefore?: number;
  readonly notAfter?: number;
}

const { KeyUsageFlags } = x509;

/** Makes any certificate, right or wrong. Without options: what the authority itself would sign. */
export async function makeLeaf(issuer: Issuer, options: LeafOptions): Promise<Leaf> {
  const { uris = [], dns = [], ca = false, notBefore = -60_000, notAfter = 3_600_000 } = options;
  const keyUsage = 'keyUsage' in options ? options.keyUsage : KeyUsageFlags.digitalSignature;
  const keys = await generateKeyPair();
  const parent = new x509.X509Certificate(issuer.certificatePem);
  const names = [
    ...uris.map((value) => ({ type: 'url', value }) as const),
    ...dns.map((value) => ({ type: 'dns', value }) as const),
  ];
  const leaf = await x509.X509CertificateGenerator.create({
    serialNumber: randomSerial(),
    subject: 'O=Weft',
    issuer: parent.subject,
    notBefore: new Date(Date.now() + notBefore),
    notAfter: new Date(Date.now() + notAfter),
    publicKey: keys.publicKey,
    signingKey: await importPrivateKey(issuer.privateKeyPem),
    signingAlgorithm: SIGNING_ALGORITHM,
    extensions: [
      new x509.BasicConstraintsExtension(ca, undefined, true),
      ...(keyUsage === undefined ? [] : [new x509.KeyUsagesExtension(keyUsage, true)]),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth, x509.ExtendedKeyUsage.clientAuth]),
      new x509.SubjectAlternativeNameExtension(names),
    ],
  });
  return {
    cert: `${leaf.toString('pem')}\n${issuer.certificatePem.trim()}\n`,
    key: await exportPrivateKey(keys.privateKey),
  };
}

/** @returns a root that nobody knows */
export const strangersRoot = (trustDomain: string): Promise<Issuer> => createRoot(trustDomain, new Date());

/** @returns the root that the control plane with this home signs with: for certificates that it would never sign */
export function rootOf(home: string): Issuer {
  const state = JSON.parse(readFileSync(join(home, 'control-plane', 'roots.json'), 'utf8')) as {
    readonly roots: readonly Issuer[];
  };
  const [root] = state.roots;
  if (!root) throw new Error('the control plane has no root yet');
  return root;
}

const ANSWER_MS = 5000;

/** Sends one GET over TLS. @returns the status line and everything after it; `refused` when the connection ends without an answer */
export function tlsGet(port: number, identity: Partial<Leaf>, headers: readonly string[] = []): Promise<string> {
  return new Promise((resolve) => {
    let answer = '';
    const socket: TLSSocket = connect({
      host: '127.0.0.1',
      port,
      ...identity,
      rejectUnauthorized: false,
      ALPNProtocols: ['http/1.1'],
    });
    const settle = () => {
      socket.destroy();
      resolve(answer === '' ? 'refused' : answer);
    };
    socket.setTimeout(ANSWER_MS, settle);
    socket.on('secureConnect', () =>
      socket.write(['GET /hello HTTP/1.1', 'host: x', 'connection: close', ...headers, '', ''].join('\r\n')),
    );
    socket.on('data', (chunk) => {
      answer += chunk.toString();
    });
    socket.on('error', settle);
    socket.on('close', settle);
  });
}
