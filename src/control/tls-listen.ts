import { constants } from 'node:crypto';
import type { AddressInfo, Socket } from 'node:net';
import { createServer } from 'node:tls';
import { type Server, ServerCredentials } from '@grpc/grpc-js';
import type { ServerIdentity } from './ca/server-identity.js';
import { type ListenPlace, listenProblem } from './listen.js';

export interface TlsListenOptions {
  readonly identity: ServerIdentity;
  /** True: without a certificate of ours nobody gets in; false: a call says what it can do with none. */
  readonly requireCertificate: boolean;
  /** Told why a client was turned away. */
  readonly onRefused: (reason: string) => void;
}

export interface TlsListener {
  readonly port: number;
  close(): void;
}

const HANDSHAKE_MS = 10_000;

/**
 * Serves `server` over TLS. Certificates change without an open stream noticing: new connections get the new ones. grpc-js's own
 * credentials cannot do that outside its experimental part, so TLS ends here and connections are handed over.
 * @throws UsageError when the port is taken
 */
export async function listenTls(server: Server, place: ListenPlace, options: TlsListenOptions): Promise<TlsListener> {
  const { identity, requireCertificate, onRefused } = options;
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
  const open = new Set<Socket>();
  const tls = createServer({
    ...identity.current(),
    requestCert: true,
    rejectUnauthorized: requireCertificate,
    minVersion: 'TLSv1.2',
    ALPNProtocols: ['h2'],
    handshakeTimeout: HANDSHAKE_MS,
    // A resumed session is not checked again: its certificate may have expired meanwhile.
    secureOptions: constants.SSL_OP_NO_TICKET,
  });
  tls.on('connection', (socket) => {
    open.add(socket);
    socket.on('close', () => open.delete(socket));
  });
  tls.on('secureConnection', (socket) => {
    socket.on('error', () => socket.destroy());
    injector.injectConnection(socket);
  });
  tls.on('tlsClientError', (error) => onRefused((error as NodeJS.ErrnoException).code ?? error.message));
  const stopWatching = identity.onChange(() => tls.setSecureContext(identity.current()));
  await new Promise<void>((resolve, reject) => {
    tls.once('error', (error) => reject(listenProblem(error, place)));
    tls.listen({ host: place.host, port: place.port }, resolve);
  });
  return {
    port: (tls.address() as AddressInfo).port,
    close() {
      stopWatching();
      tls.close();
      injector.destroy();
      for (const socket of open) socket.destroy();
    },
  };
}
