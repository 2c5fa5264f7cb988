import type { ComponentFactory } from '../../blocks/component.js';
import type { HttpMiddleware } from '../../blocks/middleware/contract.js';

/** Dapr's example: the request's body in upper case. */
export const createUppercase: ComponentFactory<HttpMiddleware> = async () => ({
  capabilities: [],
  module: { onRequestBody: ({ body }) => ({ body: body.toString('utf8').toUpperCase() }) },
  close: async () => {},
});
