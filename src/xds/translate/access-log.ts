import { AccessLog, type AccessLogFilter } from '../../gen/envoy/config/accesslog/v3/accesslog.js';
import { StdoutAccessLog } from '../../gen/envoy/extensions/access_loggers/stream/v3/stream.js';
import { CALL_MARK, ERROR_MARK, logsCalls, MIDDLEWARE_MARK } from '../../model/access-log.js';
import { recordsErrorCodes } from '../../model/metrics/spec.js';
import { messageTypes, pack } from './any.js';
import { refusedByModule } from './filters/middleware/ext-proc.js';
import type { FilterContext } from './filters/module.js';
import { modulesAt } from './filters/pipeline.js';
import { mayBeWorded } from './local-reply.js';

/** The path without its query, which may hold tokens. */
const LINE = `${CALL_MARK}\t%REQ(:METHOD)%\t%UPSTREAM_CLUSTER_RAW%\t%REQ(content-type)%\t%RESPONSE_CODE%\t%PATH(NQ)%\n`;

/** To standard output, which is a pipe to the sidecar: it writes the line into its own log, where the filter service's stand too. */
const toSidecar = (line: string, filter?: AccessLogFilter): AccessLog =>
  AccessLog.fromPartial({
    name: 'weft.calls',
    filter,
    configType: {
      $case: 'typedConfig',
      value: pack(
        messageTypes.stdoutAccessLog,
        StdoutAccessLog.fromPartial({
          accessLogFormat: {
            $case: 'logFormat',
            value: {
              format: { $case: 'textFormatSource', value: { specifier: { $case: 'inlineString', value: line } } },
              omitEmptyValues: true,
            },
          },
        }),
      ),
    },
  });
const calls = toSidecar(LINE);
const errors = toSidecar(
  `${ERROR_MARK}\t%REQ(DAPR-CALLEE-APP-ID)%\t%UPSTREAM_CLUSTER_RAW%\t%RESPONSE_CODE_DETAILS%\n`,
  mayBeWorded(),
);

const failed = (modules: readonly string[]): AccessLog => {
  const names = modules.map((name) => name.replace(/[^\w.-]/g, '_')).join(',');
  return toSidecar(`${MIDDLEWARE_MARK}\t${names}\t%RESPONSE_CODE%\t%RESPONSE_CODE_DETAILS%\n`, refusedByModule);
};

/**
 * @returns the access logs of a listener: of calls that the app makes and of errors in Dapr's words, when its Configuration wants them, and
 * of calls that a failing module of middleware refused, where there is one
 */
export function accessLogs(context: FilterContext): AccessLog[] {
  const { direction, settings } = context;
  const modules = modulesAt(context);
  return [
    ...(direction === 'api' && logsCalls(settings.spec) ? [calls] : []),
    ...(recordsErrorCodes(settings.spec) ? [errors] : []),
    ...(modules.length > 0 ? [failed(modules)] : []),
  ];
}
