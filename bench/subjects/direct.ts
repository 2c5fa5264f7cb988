import { startApp } from '../app-process.js';
import type { Subject } from '../types.js';

/**
 * No sidecar at all: the load goes to the app itself. The ceiling of this machine at this moment, and what Node takes at least for one
 * answer: the app's own CPU stands in the column of the sidecars.
 */
export function direct(workDir: string): Subject {
  return {
    name: 'direct',
    async start(topology) {
      const app = await startApp(topology.appRole, workDir);
      return { app, target: app, sidecars: () => [{ pid: app.pid, part: 'app' }], stop: () => app.stop() };
    },
  };
}
