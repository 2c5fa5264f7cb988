import { createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A login service as OAuth2 and OpenID have them: keys, discovery, and tokens for whoever knows the client's secret. */
export interface TokenIssuer {
  /** `http://127.0.0.1:<port>`: its name, and where it listens. */
  readonly url: string;
  /** The form of every call of the token endpoint. */
  readonly asked: URLSearchParams[];
  /** @returns a signed token; `claims` replace the good ones */
  token(claims?: Record<string, unknown>, key?: KeyObject): string;
  close(): Promise<void>;
}

export const CLIENT_SECRET = 'cl1ent-s3cr3t';
export const ACCESS_TOKEN = 'access-t0ken';

/** @param ownSeconds how long the token is good that a client gets for itself */
export async function startTokenIssuer(audience: string, ownSeconds = 3600): Promise<TokenIssuer> {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const jwk = { ...createPublicKey(privateKey).export({ format: 'jwk' }), kid: 'one', alg: 'ES256', use: 'sig' };
  const asked: URLSearchParams[] = [];
  const json = (response: ServerResponse, body: object) => {
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify(body));
  };
  const server = createServer(async (request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://x');
    if (pathname === '/keys') return json(response, { keys: [jwk] });
    if (pathname === '/.well-known/openid-configuration') return json(response, { issuer: url, jwks_uri: `${url}/keys` });
    if (pathname !== '/token') return response.writeHead(404).end();
    const form = new URLSearchParams(await bodyOf(request));
    asked.push(form);
    const seconds = form.get('grant_type') === 'client_credentials' ? ownSeconds : 3600;
    json(response, { access_token: ACCESS_TOKEN, token_type: 'Bearer', expires_in: seconds });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  return {
    url,
    asked,
    token(claims = {}, key = privateKey) {
      const now = Math.floor(Date.now() / 1000);
      const good = { iss: url, aud: audience, sub: 'me', iat: now, exp: now + 600 };
      const text = `${encode({ alg: 'ES256', kid: 'one', typ: 'JWT' })}.${encode({ ...good, ...claims })}`;
      return `${text}.${sign('sha256', Buffer.from(text), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let body = '';
  for await (const chunk of request) body += chunk;
  return body;
}
