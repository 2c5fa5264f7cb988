import methods from 'undici/lib/api/index.js';
import Dispatcher from 'undici/lib/dispatcher/dispatcher.js';
import UndiciPool from 'undici/lib/dispatcher/pool.js';

// undici's index also loads fetch, caches, mocks and proxies: 60 ms and 6 MB that every sidecar would pay for. What the index does
// for a pool is this one line.
Object.assign(Dispatcher.prototype, methods);

export { UndiciPool as Pool };
