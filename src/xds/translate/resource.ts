import { createHash } from 'node:crypto';
import type { AppConfiguration, Component, EndpointSecret, HttpEndpoint, MetadataItem } from '../../gen/weft/config/v1/config.js';
import { type TelemetrySpec, withoutTracingSecrets } from '../../model/telemetry.js';
import type { Resource } from '../resource.js';
import { expandAny, type MessageType } from './any.js';

/** What `describe` shows in the place of a value that may be a secret. */
export const REDACTED = '(redacted)';

/**
 * Encodes `message` once. Its version is a hash of its bytes, so translators must put maps and order-free lists in order.
 * @param redact makes the message fit for people's eyes before it is described
 */
export function makeResource<T>(
  type: MessageType<T>,
  name: string,
  message: T,
  redact: (message: T) => T = (same) => same,
): Resource {
  const bytes = Buffer.from(type.codec.encode(message).finish());
  return {
    name,
    version: createHash('sha256').update(bytes).digest('hex').slice(0, 16),
    bytes,
    describe: () => expandAny(type.codec.toJSON(redact(type.codec.decode(bytes)))),
  };
}

const redactItem = (item: MetadataItem): MetadataItem =>
  item.from?.$case === 'value' ? { ...item, from: { $case: 'value', value: REDACTED } } : item;

/** A component's metadata holds passwords as often as not, and nothing tells which: none of its values is shown. */
export const redactComponent = (component: Component): Component => ({
  ...component,
  metadata: component.metadata.map(redactItem),
});

/** The same of an external service's headers and keys. */
export const redactEndpoint = (endpoint: HttpEndpoint): HttpEndpoint => ({
  ...endpoint,
  secrets: endpoint.secrets.map(({ name, kind }) => ({ name, kind: kind && redactKind(kind) })),
});

function redactKind(kind: NonNullable<EndpointSecret['kind']>): NonNullable<EndpointSecret['kind']> {
  if (kind.$case !== 'keyPair') return { ...kind, value: redactItem(kind.value) };
  const { certificate, privateKey } = kind.value;
  return { $case: 'keyPair', value: { certificate, privateKey: privateKey && redactItem(privateKey) } };
}

/** Without the tokens of collectors. */
export const redactConfiguration = (configuration: AppConfiguration): AppConfiguration => ({
  ...configuration,
  specJson: JSON.stringify(withoutTracingSecrets(JSON.parse(configuration.specJson || '{}') as TelemetrySpec)),
});
