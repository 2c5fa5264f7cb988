import { z } from 'zod';
import { strict } from '../problem.js';
import { auth, list, nameValue, optional, resource, scopes, text } from '../schema.js';

const pem = optional(
  strict({ value: optional(z.string()), secretKeyRef: optional(strict({ name: text, key: optional(z.string()) })) }),
);

/** An external service by name (reference §4.5). */
export const httpEndpointSchema = resource(['dapr.io/v1alpha1'], {
  spec: strict({
    baseUrl: text.refine((url) => /^https?:$/.test(protocolOf(url)), {
      error: 'expected a URL such as https://api.example.com; change it',
    }),
    headers: list(nameValue),
    clientTLS: optional(
      strict({
        rootCA: pem,
        certificate: pem,
        privateKey: pem,
        renegotiation: optional(z.enum(['Never', 'OnceAsClient', 'FreelyAsClient'])),
      }),
    ),
  }),
  scopes,
  auth,
});

const protocolOf = (url: string) => (URL.canParse(url) ? new URL(url).protocol : '');
