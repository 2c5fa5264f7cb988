import { performServerHandshake } from 'node:http2';
import { Duplex } from 'node:stream';

/**
 * Reads `:path` of the first request in a client's first bytes. HPACK is left to Node's own HTTP/2: a throw-away session
 * on a stream that goes nowhere decodes a copy.
 * @param bytes preface, SETTINGS and a complete header block
 * @returns undefined when they are no such thing
 */
export function firstPath(bytes: Buffer): Promise<string | undefined> {
  return new Promise((resolve) => {
    const nowhere = new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() });
    const session = performServerHandshake(nowhere);
    const settle = (path: string | undefined) => {
      resolve(path);
      // Destroying inside its own callback would end the decoder under its feet.
      setImmediate(() => {
        session.destroy();
        nowhere.destroy();
      });
    };
    session.on('error', () => settle(undefined));
    session.on('close', () => resolve(undefined));
    session.on('stream', (stream, headers) => {
      stream.on('error', () => {});
      settle(headers[':path']);
    });
    nowhere.on('error', () => {});
    nowhere.push(bytes);
    nowhere.push(null);
  });
}
