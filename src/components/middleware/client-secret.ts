import { createHmac } from 'node:crypto';
import type { ComponentFactory } from '../../blocks/component.js';
import type { HttpMiddleware } from '../../blocks/middleware/contract.js';

/** OAuth2, of which Envoy does everything, and the sidecar keeps the secrets. */
export const createClientSecretMiddleware: ComponentFactory<HttpMiddleware> = async ({ metadata }) => {
  const clientSecret = metadata.get('clientsecret') ?? '';
  if (clientSecret === '') throw new Error('metadata clientSecret is empty; give it a value');
  // The same at every instance of the app, so that one instance knows the cookies of another.
  const hmac = createHmac('sha256', clientSecret).update('weft: cookies of the OAuth2 middleware').digest('hex');
  return {
    capabilities: [],
    secrets: new Map([
      ['clientSecret', clientSecret],
      ['hmac', hmac],
    ]),
    close: async () => {},
  };
};
