/**
 * The parts of a sidecar that take long to load (gRPC, the HTTP server, the blocks), as one import: Envoy, a process of its own,
 * starts meanwhile.
 */

export { createTracing } from '../telemetry/tracing/tracing.js';
export { startAttachClient } from './attach-client.js';
export { createConfigClient } from './config-client.js';
export { openControlPlaneChannel } from './control-plane-channel.js';
export { openDoors } from './doors.js';
export { callsOfApp, drainSidecar, releaseApp } from './drain.js';
export { reportEndpointProblems } from './external/endpoint-problems.js';
export { endpointSecretSource } from './external/endpoint-sds.js';
export { createFilterService } from './filter-service.js';
export { startSdsServer } from './identity/sds-server.js';
export { startSidecarIdentity } from './identity/sidecar-identity.js';
export { instanceOf } from './instance.js';
export { writeLocalSecrets } from './local-secrets.js';
export { countWorded } from './metrics/error-series.js';
export { showIdentity } from './metrics/identity-series.js';
export { showReports } from './metrics/report-series.js';
export { startMetricsServer } from './metrics/server.js';
export { followMiddleware } from './middleware.js';
export { startSpanSink } from './span-sink.js';
