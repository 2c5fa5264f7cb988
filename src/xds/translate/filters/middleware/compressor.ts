import { Gzip } from '../../../../gen/envoy/extensions/compression/gzip/compressor/v3/gzip.js';
import { Compressor } from '../../../../gen/envoy/extensions/filters/http/compressor/v3/compressor.js';
import type { Compressor as CompressorMiddleware } from '../../../../model/middleware/types.js';
import { extension, messageTypes, pack } from '../../any.js';
import type { Applied, Place } from './module.js';

/** Answers with gzip, for clients that take it. */
export function compressor({ middleware }: Place<CompressorMiddleware>): Applied {
  const { minBytes, contentTypes } = middleware;
  const config = Compressor.fromPartial({
    compressorLibrary: extension('gzip', messageTypes.gzip, Gzip.fromPartial({})),
    responseDirectionConfig: { commonConfig: { minContentLength: Math.round(minBytes), contentType: [...contentTypes] } },
  });
  return { config: pack(messageTypes.compressor, config) };
}
