import type { MiddlewareModule } from '../../../src/blocks/middleware/middleware-module.js';

export default {
  onRequestHeaders({ headers }) {
    if (headers['x-tenant'] === undefined) return { respond: { status: 400, body: 'who are you? send x-tenant\n' } };
    return { setHeaders: { 'x-greeting': `hello, ${headers['x-tenant']}` } };
  },
  onResponseHeaders: () => ({ setHeaders: { 'x-seen-by': 'add-header.ts' } }),
} satisfies MiddlewareModule;
