import { existsSync } from 'node:fs';
import { credentials, type ServiceError } from '@grpc/grpc-js';
import { UsageError } from '../errors.js';
import { IdentityClient } from '../gen/weft/identity/v1/identity.js';
import { identitySockets } from '../lib/identity-socket.js';
import { weftDir } from '../lib/weft-home.js';
import { parseControlPlaneAddress } from './args.js';

const ANSWER_WITHIN_MS = 10_000;

/**
 * Asks the certificate authority for something that only the user of the control plane may have: over its Unix socket.
 * @throws UsageError when there is no such socket here, or when it refuses
 */
export async function askAuthority<T>(
  addressText: string,
  ask: (
    client: IdentityClient,
    deadline: { readonly deadline: number },
    done: (error: ServiceError | null, value: T) => void,
  ) => unknown,
): Promise<T> {
  const { host, port } = parseControlPlaneAddress(addressText);
  const path = identitySockets(weftDir('control-plane'), host, port).find((socket) => existsSync(socket));
  if (path === undefined)
    throw new UsageError(
      `no control plane with mTLS at ${addressText} keeps its socket in ${weftDir('control-plane')}: run this where it runs, as the same user and with the same WEFT_HOME`,
    );
  const client = new IdentityClient(`unix:${path}`, credentials.createInsecure());
  try {
    return await new Promise<T>((resolve, reject) => {
      ask(client, { deadline: Date.now() + ANSWER_WITHIN_MS }, (error, value) =>
        error ? reject(new UsageError(`the control plane at ${addressText}: ${error.details || error.message}`)) : resolve(value),
      );
    });
  } finally {
    client.close();
  }
}
