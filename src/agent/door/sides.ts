import type { AppConfigurationView } from '../app-configuration.js';
import { type SidecarOptions, seesEveryCall } from '../options.js';

/**
 * Who serves a client's connection: `node` every request of it; `either`, as its first request says; `pipeline`: Envoy, all of it, on
 * the listener with the HTTP pipeline.
 */
export type DoorSide = 'node' | 'either' | 'pipeline';

type Configuration = Pick<AppConfigurationView, 'known' | 'hasPipeline' | 'blocked'>;

/** @returns for each port whose its connections are now */
export function doorSides(
  options: SidecarOptions,
  { known, hasPipeline, blocked }: Configuration,
): { http(): DoorSide; grpc(): DoorSide } {
  const everyCall = seesEveryCall(options);
  const blocks = () => blocked.http('invoke', 'v1.0') || blocked.http('actors', 'v1.0');
  return {
    http() {
      if (everyCall || !known()) return 'node';
      if (hasPipeline()) return 'pipeline';
      // What Envoy routes by itself on its loopback listener, no list stops.
      return blocks() ? 'node' : 'either';
    },
    // HTTP on this port would be a way around the pipeline; the gRPC server takes no HTTP.
    grpc: () => (everyCall || !known() || hasPipeline() || blocks() ? 'node' : 'either'),
  };
}
