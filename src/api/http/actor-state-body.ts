import type { ActorStateOperation } from '../../blocks/actors/state.js';
import { AppError } from '../../errors.js';
import { bytesOf, decode, elementsOf, membersOf, type RawJson, rawJson } from '../../lib/raw-json.js';

const JSON_NULL = Buffer.from('null');
const malformed = (err: string) => new AppError('malformedRequest', { err });

/** @returns the operations of an actor state transaction, values as the bytes that were sent @throws AppError 400 */
export function stateOperations(body: unknown): ActorStateOperation[] {
  if (!Buffer.isBuffer(body)) throw malformed('EOF');
  const elements = elementsOf(parse(body));
  if (!elements) throw malformed('the body must be a JSON array of operations');
  return elements.map((element, index) => operationOf(fieldsOf(element, `operation ${index}`), index));
}

type Fields = ReadonlyMap<string, RawJson>;

function operationOf(fields: Fields, index: number): ActorStateOperation {
  const request = fields.get('request');
  if (!request) throw malformed(`operation ${index} has no request`);
  const item = fieldsOf(request, `request of operation ${index}`);
  const value = item.get('value');
  return {
    operation: text(fields, 'operation'),
    key: text(item, 'key'),
    value: value ? bytesOf(value) : JSON_NULL,
    metadata: texts(item.get('metadata')),
  };
}

function parse(body: Buffer): RawJson {
  try {
    return rawJson(body);
  } catch (error) {
    throw new AppError('malformedRequest', {}, error);
  }
}

/** Under lower-cased names: Go decodes JSON without regard to case. */
function fieldsOf(value: RawJson, what: string): Fields {
  const members = membersOf(value);
  if (!members) throw malformed(`${what} must be a JSON object`);
  return new Map(members.map((member) => [member.name.toLowerCase(), member.value]));
}

function text(fields: Fields, name: string): string {
  const value = fields.get(name);
  const decoded = value ? decode(value) : '';
  if (typeof decoded !== 'string') throw malformed(`${name} must be a string`);
  return decoded;
}

function texts(value: RawJson | undefined): Record<string, string> | undefined {
  const decoded = value ? decode(value) : null;
  if (decoded === null) return undefined;
  if (typeof decoded !== 'object' || !Object.values(decoded as object).every((item) => typeof item === 'string'))
    throw malformed('metadata must be an object of strings');
  return decoded as Record<string, string>;
}
