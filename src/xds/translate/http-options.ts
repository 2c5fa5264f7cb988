import { Http1ProtocolOptions, Http2ProtocolOptions } from '../../gen/envoy/config/core/v3/protocol.js';

/** Codec options, the same on every listener and cluster. A request with both Content-Length and Transfer-Encoding is refused (Envoy's default). */
export const http1: Http1ProtocolOptions = Http1ProtocolOptions.fromPartial({ enableTrailers: true });

// Envoy's default windows (16 and 24 MiB) let one slow reader hold that much memory.
export const http2: Http2ProtocolOptions = Http2ProtocolOptions.fromPartial({
  initialStreamWindowSize: 512 * 1024,
  initialConnectionWindowSize: 4 * 1024 * 1024,
});
