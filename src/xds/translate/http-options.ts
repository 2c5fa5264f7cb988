import { Http1ProtocolOptions, Http2ProtocolOptions } from '../../gen/envoy/config/core/v3/protocol.js';
import { duration } from './values.js';

/** Codec options, the same on every listener and cluster. A request with both Content-Length and Transfer-Encoding is refused (Envoy's default). */
export const http1: Http1ProtocolOptions = Http1ProtocolOptions.fromPartial({ enableTrailers: true });

/**
 * What a slow reader may make Envoy hold for a stream. Also how much of a body Envoy copies for a retry while it streams on: beyond it the
 * copy is dropped and nothing is tried again. No body is ever held back.
 */
export const BUFFER_BYTES = 256 * 1024;

// Envoy's default windows (16 and 24 MiB) let one slow reader hold that much memory.
export const http2: Http2ProtocolOptions = Http2ProtocolOptions.fromPartial({
  initialStreamWindowSize: 512 * 1024,
  initialConnectionWindowSize: 4 * 1024 * 1024,
});

/** More calls at once open another connection. */
const CALLS_A_CONNECTION = 16;
/** The longest that a call waits for an Envoy that has stopped: its sidecar takes it out of the endpoints sooner, but that ends no call. */
const PING_MS = { interval: 5000, timeout: 5000 };

/**
 * Calls of both HTTP versions share connections between sidecars: under load Envoy reads and writes several calls with one system call and
 * one TLS record, a fifth less CPU than a connection a call. The connection's window has room for the window of every call on it, so slow
 * readers hold up nobody; pings find a connection whose other end is gone, which would else take the next calls as well.
 */
export const http2BetweenSidecars: Http2ProtocolOptions = Http2ProtocolOptions.fromPartial({
  initialStreamWindowSize: BUFFER_BYTES,
  initialConnectionWindowSize: CALLS_A_CONNECTION * BUFFER_BYTES,
  maxConcurrentStreams: CALLS_A_CONNECTION,
  // WebSockets (RFC 8441).
  allowConnect: true,
  connectionKeepalive: { interval: duration(PING_MS.interval), timeout: duration(PING_MS.timeout) },
});
