import { AccessLog } from '../../gen/envoy/config/accesslog/v3/accesslog.js';
import { StdoutAccessLog } from '../../gen/envoy/extensions/access_loggers/stream/v3/stream.js';
import { CALL_MARK, logsCalls } from '../../model/access-log.js';
import { messageTypes, pack } from './any.js';
import type { AppSettings } from './app-settings.js';
import type { Direction } from './filters/module.js';

/** The path without its query, which may hold tokens. */
const LINE = `${CALL_MARK}\t%REQ(:METHOD)%\t%UPSTREAM_CLUSTER_RAW%\t%REQ(content-type)%\t%RESPONSE_CODE%\t%PATH(NQ)%\n`;

/** To standard output, which is a pipe to the sidecar: it writes the line into its own log, where the filter service's stand too. */
const toSidecar = AccessLog.fromPartial({
  name: 'weft.calls',
  configType: {
    $case: 'typedConfig',
    value: pack(
      messageTypes.stdoutAccessLog,
      StdoutAccessLog.fromPartial({
        accessLogFormat: {
          $case: 'logFormat',
          value: {
            format: { $case: 'textFormatSource', value: { specifier: { $case: 'inlineString', value: LINE } } },
            omitEmptyValues: true,
          },
        },
      }),
    ),
  },
});

/** @returns the access logs of a listener: of calls that the app makes, when its Configuration wants them */
export const accessLogs = (direction: Direction, { spec }: AppSettings): AccessLog[] =>
  direction === 'api' && logsCalls(spec) ? [toSidecar] : [];
