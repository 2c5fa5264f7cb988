import type { Http2Server, ServerHttp2Session, ServerHttp2Stream, ServerOptions } from 'node:http2';
import { type ConnectionInjector, type Server, ServerCredentials } from '@grpc/grpc-js';

/**
 * nghttp2 takes more than 1,000 streams that a client resets, and 33 more each second, for an attack (CVE-2023-44487) and ends the
 * connection with everybody's calls on it. Node has an option for that since 22.10, which 20 passes over. What is read at once
 * may hold hundreds of resets that nghttp2 has counted before anybody here sees them, hence the distance.
 */
const WORN_AT = 300;
const RESTORED_A_SECOND = 33;
const NO_LIMIT = { streamResetBurst: 1_000_000, streamResetRate: 1_000_000 };

/** The part of grpc-js's server that makes its HTTP/2 servers. Private there; the test of cancelled calls fails if it changes. */
interface Http2Maker {
  commonServerOptions: ServerOptions;
  createHttp2Server(credentials: ServerCredentials): Http2Server;
}

/** @returns an injector whose connections outlast clients that cancel many calls */
export function createInjector(server: Server): ConnectionInjector {
  const maker = server as unknown as Http2Maker;
  const { createHttp2Server, commonServerOptions } = maker;
  maker.commonServerOptions = { ...commonServerOptions, ...NO_LIMIT };
  maker.createHttp2Server = (credentials) => {
    const made = createHttp2Server.call(server, credentials);
    return hasLimitOption() ? made : made.on('session', replaceWhenWorn);
  };
  try {
    return server.createConnectionInjector(ServerCredentials.createInsecure());
  } finally {
    Object.assign(maker, { createHttp2Server, commonServerOptions });
  }
}

function hasLimitOption(): boolean {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  return major > 22 || (major === 22 && minor >= 10);
}

/** A GOAWAY sends new calls to a new connection and leaves those of this one alone; once it is sent, nghttp2 counts no more. */
function replaceWhenWorn(session: ServerHttp2Session): void {
  let resets = 0;
  let at = performance.now();
  const onReset = () => {
    const now = performance.now();
    resets = 1 + Math.max(0, resets - ((now - at) / 1000) * RESTORED_A_SECOND);
    at = now;
    if (resets < WORN_AT) return;
    session.off('stream', onStream);
    if (!session.closed) session.close();
  };
  const onStream = (stream: ServerHttp2Stream) => {
    stream.once('close', () => {
      if (stream.rstCode !== 0 || !stream.readableEnded) onReset();
    });
  };
  session.on('stream', onStream);
}
