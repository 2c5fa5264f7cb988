import { mediaType } from '../../blocks/pubsub/cloudevent.js';
import type { BulkPublishEntry } from '../../blocks/pubsub/publisher.js';
import { AppError } from '../../errors.js';
import { bytesOf, decode, elementsOf, membersOf, type RawJson, rawJson } from '../../lib/raw-json.js';

interface Target {
  readonly pubsubName: string;
  readonly topic: string;
}

/**
 * Reads a bulk publish body, `[{entryId, event, contentType, metadata}]`; inline JSON events keep their bytes.
 * @throws AppError when the body or an event is not what its content type says
 */
export function bulkEntries(body: Buffer, { pubsubName: name, topic }: Target): BulkPublishEntry[] {
  let elements: RawJson[] | undefined;
  try {
    elements = elementsOf(rawJson(body));
  } catch (error) {
    throw new AppError('pubsubUnmarshalEvents', { name, topic }, error);
  }
  if (!elements) throw new AppError('pubsubUnmarshalEvents', { name, topic, err: 'the body is not an array' });
  return elements.map((element) => {
    const members = membersOf(element);
    if (!members) throw new AppError('pubsubUnmarshalEvents', { name, topic, err: 'an entry is not an object' });
    // Case does not matter: JavaScript's SDK sends entryID.
    const fields = new Map(members.map((member) => [member.name.toLowerCase(), member.value]));
    try {
      return entryOf(fields);
    } catch (error) {
      throw new AppError('pubsubMarshalEnvelope', { name, topic }, error);
    }
  });
}

function entryOf(fields: ReadonlyMap<string, RawJson>): BulkPublishEntry {
  const contentType = text(fields.get('contenttype'));
  const metadata = fields.get('metadata');
  return {
    entryId: text(fields.get('entryid')),
    data: eventBytes(fields.get('event'), contentType),
    contentType,
    metadata: metadata ? textMap(decode(metadata)) : undefined,
  };
}

const BASE64 = /^[A-Za-z0-9+/\r\n]*={0,2}$/;

function eventBytes(event: RawJson | undefined, contentType: string): Buffer {
  const type = mediaType(contentType);
  if (type === 'application/json' || type.endsWith('+json')) return event ? bytesOf(event) : Buffer.from('null');
  const value = event && decode(event);
  if (typeof value !== 'string') throw new Error(`an event of content type '${contentType}' must be a string`);
  if (type !== 'application/octet-stream') return Buffer.from(value);
  if (!BASE64.test(value)) throw new Error('an event of content type application/octet-stream must be base64');
  return Buffer.from(value, 'base64');
}

function text(value: RawJson | undefined): string {
  const decoded = value && decode(value);
  return typeof decoded === 'string' ? decoded : '';
}

function textMap(value: unknown): Record<string, string> | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, String(item)]));
}
