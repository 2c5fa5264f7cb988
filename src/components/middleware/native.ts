import type { ComponentFactory } from '../../blocks/component.js';
import type { HttpMiddleware } from '../../blocks/middleware/contract.js';

/** Middleware that Envoy does with what the control plane tells it. */
export const createNativeMiddleware: ComponentFactory<HttpMiddleware> = async () => ({ capabilities: [], close: async () => {} });
