import type { EndpointSecrets, ServedSecret } from '../../blocks/external/endpoint-secrets.js';
import { Secret } from '../../gen/envoy/extensions/transport_sockets/tls/v3/secret.js';
import type { SecretSource } from '../identity/sds-server.js';

/** @returns what external services are sent, as Envoy takes it */
export const endpointSecretSource = (secrets: EndpointSecrets): SecretSource => ({
  find(name) {
    const served = secrets.get(name);
    return served && { secret: secretOf(name, served), version: String(served.version) };
  },
  onChange: (listener) => secrets.onChange(listener),
});

/**
 * A header's value that cannot be read is told as an empty one: Envoy then refuses calls at once and waits for nothing. There is no such
 * thing for certificates: Envoy is told that there is none, and opens no connection.
 */
function secretOf(name: string, { kind, value }: ServedSecret): Secret | undefined {
  switch (value?.kind) {
    case 'keyPair': {
      const pair = { certificateChain: inline(value.certificate), privateKey: inline(value.privateKey) };
      return Secret.fromPartial({ name, type: { $case: 'tlsCertificate', value: pair } });
    }
    case 'trustedCa':
      return Secret.fromPartial({ name, type: { $case: 'validationContext', value: { trustedCa: inline(value.pem) } } });
    default: {
      const text = inline(value?.value ?? '');
      return kind === 'header'
        ? Secret.fromPartial({ name, type: { $case: 'genericSecret', value: { secret: text } } })
        : undefined;
    }
  }
}

const inline = (text: string) => ({ specifier: { $case: 'inlineString' as const, value: text } });
