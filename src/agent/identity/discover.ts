import { existsSync } from 'node:fs';
import { connect } from 'node:net';
import { UsageError } from '../../errors.js';
import { sleep } from '../../lib/async.js';
import { identitySockets } from '../../lib/identity-socket.js';
import { weftDir } from '../../lib/weft-home.js';
import type { Logger } from '../../telemetry/logger.js';
import { splitHostPort } from '../envoy/bootstrap.js';

export interface DiscoverOptions {
  /** `host:port`. */
  readonly controlPlaneAddress: string;
  /** `host:port` of an identity service elsewhere; it needs a join token. */
  readonly identityAddress?: string;
  /** True: never without mTLS, whatever the control plane says. */
  readonly requireMtls: boolean;
}

const POLL_MS = 50;
const TELL_MS = 3000;
const ANSWER_MS = 1000;

/**
 * Finds out whether the mesh has mTLS, and who signs. The identity socket of the same user's control plane is proof; only a control
 * plane that answers without TLS, and has no socket, is taken for one without mTLS.
 * @returns the identity service's address, undefined: no mTLS @throws UsageError when the control plane wants a proof that is not there
 */
export async function findIdentityService(
  options: DiscoverOptions,
  logger: Logger,
  signal: AbortSignal,
): Promise<string | undefined> {
  if (options.identityAddress) return options.identityAddress;
  const { host, port } = splitHostPort(options.controlPlaneAddress);
  const sockets = identitySockets(weftDir('control-plane'), host, port);
  const found = () => sockets.find((path) => existsSync(path));
  const what = `control plane at ${options.controlPlaneAddress} (--control-plane-address)`;
  let toldAt = performance.now();
  while (!signal.aborted) {
    const path = found();
    if (path) return `unix:${path}`;
    const speaks = await whatAnswers(host, port);
    // Looked for again: a control plane that starts opens its socket before its port.
    if (found()) continue;
    if (speaks === 'http2' && !options.requireMtls) return undefined;
    if (speaks === 'http2') throw new UsageError(`the ${what} has no mTLS, and --enable-mtls asks for it`);
    if (speaks === 'tls')
      throw new UsageError(
        `the ${what} wants a certificate, and its identity socket ${sockets[0]} is not there: use the same user and WEFT_HOME, or --identity-address with --join-token and --trust-anchors-file`,
      );
    if (performance.now() - toldAt >= TELL_MS) {
      logger.warn(`waiting for the ${what}`);
      toldAt = performance.now();
    }
    await sleep(POLL_MS, signal);
  }
  throw signal.reason;
}

const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0', 'latin1');
const SETTINGS = 4;

/** What a server makes of HTTP/2 in plain text: one that speaks it sends SETTINGS first, one that wants TLS hangs up. */
function whatAnswers(host: string, port: number): Promise<'http2' | 'tls' | 'nothing'> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: ANSWER_MS });
    let connected = false;
    const settle = (answer: 'http2' | 'tls' | 'nothing') => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('connect', () => {
      connected = true;
      socket.write(PREFACE);
    });
    socket.once('data', (bytes) => settle(bytes.length > 3 && bytes[3] === SETTINGS ? 'http2' : 'tls'));
    socket.once('timeout', () => settle('nothing'));
    socket.once('error', () => settle(connected ? 'tls' : 'nothing'));
    socket.once('close', () => settle(connected ? 'tls' : 'nothing'));
  });
}
