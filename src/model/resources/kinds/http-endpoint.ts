import { z } from 'zod';
import { strict } from '../problem.js';
import { auth, list, nameValue, optional, resource, scopes, text } from '../schema.js';

const pem = optional(
  strict({
    value: optional(z.string().regex(/-----BEGIN /, { error: 'is no PEM text; put the text itself here' })),
    secretKeyRef: optional(strict({ name: text, key: optional(z.string()) })),
  }).refine(({ value, secretKeyRef }) => (value === undefined) !== (secretKeyRef === undefined), {
    error: 'needs one of value and secretKeyRef; give one of them',
  }),
);

// One header that Envoy refuses would take the whole table of routes along.
const header = nameValue
  .refine(({ name }) => /^[!#$&'*+.^_`|~0-9A-Za-z-]+$/.test(name), { error: 'has a name that no header can have; change it' })
  .refine(({ name }) => !/^(host|connection|transfer-encoding|content-length|x-envoy-.*|x-weft-.*)$/i.test(name), {
    error: 'sets a header that belongs to the connection; remove it',
  })
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they would end the header
  .refine(({ value }) => !/[\u0000-\u0008\u000a-\u001f\u007f]/.test(String(value ?? '')), {
    error: 'has a value with a control character; remove that',
  })
  .refine(({ envRef }) => envRef === undefined || /^[A-Za-z_][A-Za-z0-9_]*$/.test(envRef), {
    error: 'names no environment variable; use letters, digits and _',
  });

const tls = strict({
  rootCA: pem,
  certificate: pem,
  privateKey: pem,
  renegotiation: optional(z.enum(['Never', 'OnceAsClient', 'FreelyAsClient'])),
}).refine(({ certificate, privateKey }) => !certificate === !privateKey, {
  error: 'has one of certificate and privateKey; give both or none',
});

/** An external service by name (reference §4.5). */
export const httpEndpointSchema = resource(['dapr.io/v1alpha1'], {
  spec: strict({
    baseUrl: text
      .refine((url) => /^https?:$/.test(partsOf(url)?.protocol ?? ''), {
        error: 'expected a URL such as https://api.example.com; change it',
      })
      .refine((url) => !/[?#@]/.test(url), { error: 'has more than scheme, host, port and path; remove the rest' }),
    headers: list(header),
    clientTLS: optional(tls),
  }),
  scopes,
  auth,
}).refine(({ metadata: { name } }) => !name.includes('|'), {
  path: ['metadata', 'name'],
  error: 'holds "|", which stands between the parts of names; change it',
});

const partsOf = (url: string) => (URL.canParse(url) ? new URL(url) : undefined);
