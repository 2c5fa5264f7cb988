import { loadRow } from './load-row.js';

/** Not wrk: only the app knows when an event has arrived. */
export const publishDeliver = loadRow({
  name: 'publish-deliver',
  about: 'publish to delivery at the one subscriber, in memory (bare Envoy: one hop to the app, no broker)',
  topology: { hops: 1, appProtocol: 'http', appRole: 'subscriber' },
  load: ({ target, app }, { connections }, seconds) => app.publish({ port: target.httpPort, seconds, connections }),
});
