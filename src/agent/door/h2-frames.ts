/** As much of HTTP/2 framing (RFC 9113 §4) as it takes to find the first request on a connection. */

export const H2_PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');
/** What a client may wait for before it sends a request: an empty SETTINGS frame, which promises nothing. */
export const EMPTY_SETTINGS = Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]);

const HEADER = 9;
const TYPE = { headers: 1, settings: 4, ping: 6, continuation: 9 } as const;
const FLAG = { ack: 1, endHeaders: 4 } as const;

/** What the first bytes of a connection hold. */
export type FirstRequest =
  /** A complete header block stands in `bytes`, and the client has acknowledged our SETTINGS. `bytes` lacks that acknowledgement. */
  | { readonly kind: 'request'; readonly bytes: Buffer }
  /** Not HTTP/2. */
  | { readonly kind: 'other'; readonly bytes: Buffer };

export interface FirstRequestScanner {
  /** @returns undefined: more bytes are needed */
  push(chunk: Buffer): FirstRequest | undefined;
  /** Bytes so far, without the acknowledgement and without answered pings. */
  bytes(): Buffer;
}

/**
 * Scans a client's first frames. Our own SETTINGS frame went out before, so its acknowledgement is taken out here: the server that
 * takes the connection over sends SETTINGS of its own and must not see one acknowledgement too many. The acknowledgements
 * come in order, so the first is ours (RFC 9113 §6.5.3). Pings that come before the first request are answered through `pong`.
 */
export function scanFirstRequest(pong: (frame: Buffer) => void): FirstRequestScanner {
  const kept: Buffer[] = [];
  let rest: Buffer = Buffer.alloc(0);
  let prefaced = false;
  let acknowledged = false;
  let complete = false;

  const bytes = () => Buffer.concat([...kept, rest]);
  const take = (size: number) => {
    const part = rest.subarray(0, size);
    rest = rest.subarray(size);
    return part;
  };

  function frame(part: Buffer): void {
    const type = part[3];
    const flags = part[4] as number;
    if (type === TYPE.settings && flags & FLAG.ack && !acknowledged) {
      acknowledged = true;
      return;
    }
    if (type === TYPE.ping && !(flags & FLAG.ack) && !complete) {
      const answer = Buffer.from(part);
      answer[4] = FLAG.ack;
      pong(answer);
      return;
    }
    if ((type === TYPE.headers || type === TYPE.continuation) && flags & FLAG.endHeaders) complete = true;
    kept.push(part);
  }

  return {
    bytes,
    push(chunk) {
      rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
      if (!prefaced) {
        const size = Math.min(rest.length, H2_PREFACE.length);
        if (!rest.subarray(0, size).equals(H2_PREFACE.subarray(0, size))) return { kind: 'other', bytes: bytes() };
        if (size < H2_PREFACE.length) return undefined;
        kept.push(take(H2_PREFACE.length));
        prefaced = true;
      }
      while (rest.length >= HEADER && rest.length >= HEADER + rest.readUIntBE(0, 3)) frame(take(HEADER + rest.readUIntBE(0, 3)));
      return complete && acknowledged ? { kind: 'request', bytes: bytes() } : undefined;
    },
  };
}
