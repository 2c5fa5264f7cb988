import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf, UsageError } from '../../errors.js';
import { createRoot, type Issuer } from './authority.js';

/** One root of the mesh. The first active one signs; every one that has not been retired is trusted. */
export interface Root extends Issuer {
  /** From when on it signs, milliseconds since the epoch: peers learn to trust a root before it is used. */
  readonly signsFromMs: number;
  /** Until when it is trusted: after this no certificate of it can be alive. */
  readonly trustedUntilMs: number;
}

export interface RootState {
  readonly trustDomain: string;
  /** Newest first. */
  readonly roots: readonly Root[];
  /** An own CA's anchors (PEM), when it was supplied as files. */
  readonly anchorsPem?: string;
}

const FILE = 'roots.json';
const PEM_BLOCK = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** Loads the roots of `directory` or makes the first one. The file holds private keys: mode 0600 in a 0700 directory. */
export async function loadRoots(directory: string, trustDomain: string, now: Date): Promise<RootState> {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const saved = readState(join(directory, FILE));
  if (saved && saved.trustDomain !== trustDomain) {
    throw new UsageError(
      `${join(directory, FILE)} belongs to trust domain ${saved.trustDomain}, not ${trustDomain}: name that one, or move the file away to start a new one`,
    );
  }
  if (saved) return saved;
  const root = await createRoot(trustDomain, now);
  const state: RootState = { trustDomain, roots: [{ ...root, signsFromMs: 0, trustedUntilMs: expiry(root) }] };
  saveRoots(directory, state);
  return state;
}

/** Replaces the file at once or not at all. */
export function saveRoots(directory: string, state: RootState): void {
  const path = join(directory, FILE);
  writeFileSync(`${path}.new`, JSON.stringify(state), { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

/** Own CA as files: an issuer certificate with its key, and the anchors that peers trust. @throws UsageError naming the file and what is wrong */
export function loadOwnCa(
  files: { readonly anchors: string; readonly issuer: string; readonly key: string },
  trustDomain: string,
): RootState {
  const [anchorsPem, certificatePem, privateKeyPem] = [files.anchors, files.issuer, files.key].map(readPem) as [
    string,
    string,
    string,
  ];
  const issuer = certificate(certificatePem, files.issuer);
  const anchors = (anchorsPem.match(PEM_BLOCK) ?? [anchorsPem]).map((block) => certificate(block, files.anchors));
  const key = privateKey(privateKeyPem, files.key);
  if (!issuer.checkPrivateKey(key)) throw new UsageError(`${files.key}: not the key of ${files.issuer}`);
  if (!issuer.ca) throw new UsageError(`${files.issuer}: not a CA certificate (basicConstraints CA:TRUE is missing)`);
  // Names can repeat over a rotation; only the signature tells whose child the issuer is.
  if (!anchors.some((anchor) => issuer.verify(anchor.publicKey)))
    throw new UsageError(`${files.issuer}: not issued by ${files.anchors}`);
  return {
    trustDomain,
    anchorsPem,
    roots: [{ certificatePem, privateKeyPem: pkcs8(key), signsFromMs: 0, trustedUntilMs: Date.parse(issuer.validTo) }],
  };
}

/** Adds a new root that starts to sign after `propagationMs`; the old ones stay trusted until the last leaf of theirs has expired. */
export async function rotateRoot(
  state: RootState,
  now: Date,
  times: { readonly propagationMs: number; readonly leafTtlMs: number },
): Promise<RootState> {
  const signsFromMs = now.getTime() + times.propagationMs;
  const root = await createRoot(state.trustDomain, now);
  const alive = state.roots.filter((each) => each.trustedUntilMs > now.getTime());
  const old = alive.map((each) => ({
    ...each,
    trustedUntilMs: Math.min(each.trustedUntilMs, signsFromMs + times.leafTtlMs),
  }));
  return { ...state, roots: [{ ...root, signsFromMs, trustedUntilMs: expiry(root) }, ...old] };
}

/** @returns the root that signs at `nowMs` */
export function signingRoot(state: RootState, nowMs: number): Root {
  const root = state.roots.find((each) => each.signsFromMs <= nowMs);
  if (!root) throw new Error('no root certificate is active yet');
  return root;
}

/** @returns every certificate to trust at `nowMs`, PEM */
export function trustedPem(state: RootState, nowMs: number): string {
  if (state.anchorsPem !== undefined) return state.anchorsPem;
  const trusted = state.roots.filter((each) => each.trustedUntilMs > nowMs);
  return trusted.map((each) => each.certificatePem.trim()).join('\n');
}

const expiry = (issuer: Issuer): number => Date.parse(new X509Certificate(issuer.certificatePem).validTo);

function readState(path: string): RootState | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    return JSON.parse(text) as RootState;
  } catch (error) {
    throw new UsageError(
      `${path}: not readable (${messageOf(error)}); restore it from a copy, or move it away: every sidecar then needs a restart`,
    );
  }
}

function readPem(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new UsageError(`${path}: ${messageOf(error)}`);
  }
}

function certificate(pem: string, path: string): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch {
    throw new UsageError(`${path}: holds no PEM certificate`);
  }
}

/** The kind of key that we sign with; OpenSSL's and Dapr's own form (SEC 1) is taken too. */
function privateKey(pem: string, path: string): KeyObject {
  let key: KeyObject;
  try {
    key = createPrivateKey(pem);
  } catch {
    throw new UsageError(`${path}: holds no private key in PEM`);
  }
  if (key.asymmetricKeyDetails?.namedCurve !== 'prime256v1')
    throw new UsageError(`${path}: the issuer's key must be ECDSA P-256 (openssl ecparam -name prime256v1 -genkey)`);
  return key;
}

const pkcs8 = (key: KeyObject): string => key.export({ type: 'pkcs8', format: 'pem' }).toString();
