import { ResponseMapper } from '../../../gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.js';
import { bodyFormat, byDetails, celFilter, directInvokeFailed } from '../local-reply.js';
import type { FilterModule } from './module.js';

/** Their calls carry no header of ours, so the cluster tells that it was one. */
const IS_EXTERNAL = "xds.cluster_name.startsWith('external|')";
const NAME = "%CEL(re.extract(xds.cluster_name, '^external[|][^|]*[|]([^|]*)', '\\\\1'))%";

/**
 * The sidecar has not read a header's secret, and without it nothing goes out. A filter of the listener that injects tokens says the same, but
 * before a host is asked.
 */
const withoutSecret = byDetails({
  details: 'failed_to_inject_credential',
  when: `${IS_EXTERNAL} && upstream.request_attempt_count > 0`,
  status: 500,
  body: {
    errorCode: 'ERR_DIRECT_INVOKE',
    message: `failed to invoke, id: ${NAME}, err: a header's secret cannot be read; see weft routes`,
  },
});

/** As Envoy puts it when it has a TLS configuration without its certificates. */
const NOT_SUPPLIED =
  "has(upstream.transport_failure_reason) && upstream.transport_failure_reason.contains('not supplied by SDS')";
const withoutCertificate = ResponseMapper.fromPartial({
  filter: celFilter(`${IS_EXTERNAL} && ${NOT_SUPPLIED}`),
  statusCode: 500,
  bodyFormatOverride: bodyFormat({
    errorCode: 'ERR_DIRECT_INVOKE',
    message: `failed to invoke, id: ${NAME}, err: a certificate of its clientTLS cannot be read; see weft routes`,
  }),
});

/** No filter, but the words for calls of external services that failed. */
export const externalFailures: FilterModule = {
  chain: () => undefined,
  replies: ({ direction, settings }) =>
    direction === 'api' && settings.callsOut
      ? [withoutSecret, withoutCertificate, directInvokeFailed(celFilter(IS_EXTERNAL), NAME)]
      : [],
};
