import type { ComponentFactory } from '../../blocks/component.js';
import type { HttpMiddleware } from '../../blocks/middleware/contract.js';
import { messageOf } from '../../errors.js';
import { Pool } from '../../lib/undici-pool.js';

const ANSWER_MS = 5000;
const MAX_BYTES = 256 * 1024;

/** Finds the issuer's keys by OpenID Connect Discovery 1.0 §4, where the component does not say where they are. */
export const createBearer: ComponentFactory<HttpMiddleware> = async ({ metadata }) => {
  const base = { capabilities: [], close: async () => {} };
  if (metadata.get('jwksurl')) return base;
  const issuer = metadata.get('issuer') ?? metadata.get('issuerurl') ?? '';
  return { ...base, jwksUrl: await discover(issuer) };
};

async function discover(issuer: string): Promise<string> {
  const address = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`;
  if (!/^https?:/.test(address) || !URL.canParse(address))
    throw new Error('metadata issuer is no URL, so its keys cannot be found; add jwksURL');
  const document = await fetchJson(address).catch((error: unknown) => {
    throw new Error(`${address} gives no OpenID configuration (${messageOf(error)}); start the issuer, or add jwksURL`);
  });
  // Discovery §4.3: not another issuer's keys.
  if (document.issuer !== issuer) throw new Error(`${address} is of another issuer; write metadata issuer as that one does`);
  const { jwks_uri: jwksUrl } = document;
  if (typeof jwksUrl !== 'string' || !/^https?:/.test(jwksUrl) || !URL.canParse(jwksUrl))
    throw new Error(`${address} has no jwks_uri; add jwksURL`);
  return jwksUrl;
}

async function fetchJson(address: string): Promise<Record<string, unknown>> {
  const { origin, pathname } = new URL(address);
  const pool = new Pool(origin, { connections: 1 });
  try {
    const timeouts = { headersTimeout: ANSWER_MS, bodyTimeout: ANSWER_MS, signal: AbortSignal.timeout(ANSWER_MS) };
    const { statusCode, body } = await pool.request({ method: 'GET', path: pathname, ...timeouts });
    if (statusCode !== 200) throw new Error(`status ${statusCode}`);
    const chunks: Buffer[] = [];
    let size = 0;
    for await (const chunk of body as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > MAX_BYTES) throw new Error('too long');
      chunks.push(chunk);
    }
    return JSON.parse(Buffer.concat(chunks).toString('utf8')) as Record<string, unknown>;
  } finally {
    await pool.destroy();
  }
}
