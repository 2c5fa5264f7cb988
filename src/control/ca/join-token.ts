import { createHmac, randomBytes } from 'node:crypto';
import { sameSecret } from '../../lib/same-secret.js';

/** What a bootstrap credential proves. `*`: any, for the same user on the same machine. */
export interface Claim {
  readonly namespace: string;
  readonly appId: string;
}

const VERSION = 'weft1';
const encode = (bytes: Buffer): string => bytes.toString('base64url');

/** @returns a new 32-byte key for join tokens */
export const newTokenKey = (): Buffer => randomBytes(32);

/** Makes a join token `weft1.<claim>.<mac>`. @param expiresMs milliseconds since the epoch */
export function createJoinToken(key: Buffer, claim: Claim, expiresMs: number): string {
  const payload = encode(Buffer.from(JSON.stringify({ ns: claim.namespace, app: claim.appId, exp: expiresMs })));
  return `${VERSION}.${payload}.${encode(mac(key, payload))}`;
}

/** @returns the claim, or the reason why the token proves nothing; the reason never repeats the token */
export function verifyJoinToken(key: Buffer, token: string, nowMs: number): Claim | string {
  const [version, payload, given, ...rest] = token.split('.');
  if (version !== VERSION || !payload || !given || rest.length > 0 || token.length > 4096)
    return 'not a join token (weft token create makes one)';
  const wanted = mac(key, payload);
  const got = Buffer.from(given, 'base64url');
  if (!sameSecret(got, wanted)) return 'the join token was not made by this control plane';
  const { ns, app, exp } = JSON.parse(Buffer.from(payload, 'base64url').toString('utf8')) as {
    ns: string;
    app: string;
    exp: number;
  };
  if (exp <= nowMs) return `the join token expired at ${new Date(exp).toISOString()}; make a new one (weft token create)`;
  return { namespace: ns, appId: app };
}

/** @returns whether `claim` covers the identity that is asked for */
export const covers = (claim: Claim, asked: Claim): boolean =>
  (claim.namespace === '*' || claim.namespace === asked.namespace) && (claim.appId === '*' || claim.appId === asked.appId);

const mac = (key: Buffer, payload: string): Buffer => createHmac('sha256', key).update(`${VERSION}.${payload}`).digest();
