#!/usr/bin/env node
// Makes a development CA as companies have them: a root that signs nothing but issuers, and an issuer below it that the control plane
// signs with. Its keys are for development: nothing guards them but the file mode, and they never belong into a repository.
import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import * as x509 from '@peculiar/x509';

const HELP = `usage: node certs/make-ca.mjs --out DIR [options]

Writes ca.crt (the root), issuer.crt and issuer.key (P-256, PEM) to DIR, and prints the flags that the control plane takes.

  --out DIR      where to; made with mode 0700. Not inside this repository, and files that are there already stay
  --name NAME    common name of the root (default: Weft development)
  --days N       lifetime in days (default: 30)
  --help         this text
`;

const DAY_MS = 86_400_000;
const REPOSITORY = resolve(import.meta.dirname, '..');
const KEY = { name: 'ECDSA', namedCurve: 'P-256' };
const SIGNING = { name: 'ECDSA', hash: 'SHA-256' };
const FILES = ['ca.crt', 'issuer.crt', 'issuer.key'];

x509.cryptoProvider.set(webcrypto);

/** @returns a CA certificate with its keys; `parent` absent: it signs itself */
async function makeCa(name, days, parent) {
  const keys = await webcrypto.subtle.generateKey(KEY, true, ['sign', 'verify']);
  const { keyCertSign, cRLSign } = x509.KeyUsageFlags;
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: `40${Buffer.from(webcrypto.getRandomValues(new Uint8Array(15))).toString('hex')}`,
    subject: `CN=${name}`,
    issuer: parent?.certificate.subject ?? `CN=${name}`,
    // An hour ago: hosts' clocks differ.
    notBefore: new Date(Date.now() - 3_600_000),
    notAfter: new Date(Date.now() + days * DAY_MS),
    publicKey: keys.publicKey,
    signingKey: (parent?.keys ?? keys).privateKey,
    signingAlgorithm: SIGNING,
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(keyCertSign | cRLSign, true),
    ],
  });
  return { keys, certificate };
}

function options() {
  const { values } = parseArgs({
    options: {
      out: { type: 'string' },
      name: { type: 'string', default: 'Weft development' },
      days: { type: 'string', default: '30' },
      help: { type: 'boolean' },
    },
  });
  if (values.help) return undefined;
  if (!values.out) throw new Error('--out DIR is missing: say where the files go');
  const dir = resolve(values.out);
  if (!relative(REPOSITORY, dir).startsWith('..'))
    throw new Error(`--out ${values.out} is inside the repository, where no private key belongs: choose a directory elsewhere`);
  const days = Number(values.days);
  if (!Number.isInteger(days) || days < 1) throw new Error(`--days ${values.days} is no whole number of days`);
  const there = FILES.map((name) => join(dir, name)).find((path) => existsSync(path));
  if (there) throw new Error(`${there} is there already: move it away, or choose another --out`);
  return { dir, days, name: values.name };
}

async function main() {
  const chosen = options();
  if (!chosen) return void process.stdout.write(HELP);
  const { dir, days, name } = chosen;
  const root = await makeCa(`${name} root`, days);
  const issuer = await makeCa(`${name} issuer`, days, root);
  const key = x509.PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', issuer.keys.privateKey), 'PRIVATE KEY');
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const [ca, crt, keyFile] = FILES.map((file) => join(dir, file));
  writeFileSync(ca, `${root.certificate.toString('pem')}\n`);
  writeFileSync(crt, `${issuer.certificate.toString('pem')}\n`);
  writeFileSync(keyFile, `${key}\n`, { mode: 0o600 });
  process.stdout.write(
    `weft control-plane --trust-anchors-file ${ca} --issuer-certificate-file ${crt} --issuer-key-file ${keyFile}\n`,
  );
}

main().catch((error) => {
  process.stderr.write(`make-ca: ${error.message}\n`);
  process.exitCode = 1;
});
