import type { ApiSpec } from './access/api-rules.js';
import type { AccessControlSpec } from './access/policy.js';
import type { LoggingSpec } from './access-log.js';
import type { PipelineSpec } from './middleware/pipeline.js';
import type { TelemetrySpec } from './telemetry.js';

/** What the data plane reads of a Configuration's `spec` (reference §4.2). It was checked when it was read; no part has to be there. */
export interface ConfigurationSpec extends TelemetrySpec, LoggingSpec {
  readonly accessControl?: AccessControlSpec;
  readonly api?: ApiSpec;
  readonly httpPipeline?: PipelineSpec;
  readonly appHttpPipeline?: PipelineSpec;
}
