import type { SaveItem, TransactionItem } from '../../blocks/state/service.js';
import { AppError } from '../../errors.js';
import { bytesOf, decode, elementsOf, membersOf, type RawJson, rawJson } from '../../lib/raw-json.js';

const JSON_NULL = Buffer.from('null');

/** A store item as the body has it, fields under their lower-cased names: Dapr matches them in any case, the last one wins. */
type Fields = ReadonlyMap<string, RawJson>;

const NO_FIELDS: Fields = new Map();

const malformed = (err: string) => new AppError('stateMalformedRequest', { err });

/** @returns the items of a save request @throws AppError 400 */
export function saveItems(body: unknown): SaveItem[] {
  const value = parse(body);
  if (isNull(value)) return [];
  const elements = elementsOf(value);
  if (elements === undefined) throw malformed('the body must be a JSON array of state items');
  return elements.map((element, index) => saveItem(fieldsOf(element, `item ${index}`)));
}

export interface TransactionBody {
  readonly items: readonly TransactionItem[];
  readonly metadata?: Readonly<Record<string, string>> | undefined;
}

/** @throws AppError 400, also for an operation that is neither upsert nor delete */
export function transactionBody(body: unknown): TransactionBody {
  const fields = fieldsOf(parse(body), 'the body');
  const operations = fields.get('operations');
  const elements = operations === undefined || isNull(operations) ? [] : elementsOf(operations);
  if (elements === undefined) throw malformed('operations must be an array');
  return { items: elements.map(transactionItem), metadata: textMap(fields, 'metadata') };
}

export interface BulkGetBody {
  readonly keys: readonly string[];
  readonly parallelism: number | undefined;
  readonly metadata: Readonly<Record<string, string>> | undefined;
}

/** @throws AppError 400 */
export function bulkGetBody(body: unknown): BulkGetBody {
  const fields = fieldsOf(parse(body), 'the body');
  const keys = optional(fields, 'keys') ?? [];
  if (!Array.isArray(keys) || !keys.every((key) => typeof key === 'string')) throw malformed('keys must be an array of strings');
  const parallelism = optional(fields, 'parallelism');
  if (parallelism !== undefined && !Number.isInteger(parallelism)) throw malformed('parallelism must be a whole number');
  return { keys, parallelism: parallelism as number | undefined, metadata: textMap(fields, 'metadata') };
}

function parse(body: unknown): RawJson {
  if (!Buffer.isBuffer(body)) throw malformed('the body is empty');
  try {
    return rawJson(body);
  } catch (error) {
    throw new AppError('stateMalformedRequest', {}, error);
  }
}

function fieldsOf(value: RawJson, what: string): Fields {
  if (isNull(value)) return new Map();
  const members = membersOf(value);
  if (members === undefined) throw malformed(`${what} must be a JSON object`);
  return new Map(members.map(({ name, value: member }) => [name.toLowerCase(), member]));
}

function transactionItem(element: RawJson, index: number): TransactionItem {
  const fields = fieldsOf(element, `operation ${index}`);
  const operation = textField(fields, 'operation') ?? '';
  if (operation !== 'upsert' && operation !== 'delete') throw new AppError('stateOperationNotSupported', { operation });
  const request = fields.get('request');
  const item = request === undefined ? new Map() : fieldsOf(request, `request of operation ${index}`);
  return { operation, item: saveItem(item) };
}

function saveItem(fields: Fields): SaveItem {
  const value = fields.get('value');
  const options = fields.get('options');
  const words = options === undefined ? NO_FIELDS : fieldsOf(options, 'options');
  return {
    key: textField(fields, 'key') ?? '',
    // A value that is left out is null, as Dapr stores it.
    value: value === undefined ? JSON_NULL : bytesOf(value),
    etag: textField(fields, 'etag'),
    metadata: textMap(fields, 'metadata'),
    concurrency: textField(words, 'concurrency'),
    consistency: textField(words, 'consistency'),
    contentType: textField(fields, 'contenttype'),
  };
}

function isNull({ text, start }: RawJson): boolean {
  return text[start] === 0x6e;
}

/** @returns the decoded field, undefined when it is absent or null */
function optional(fields: Fields, name: string): unknown {
  const value = fields.get(name);
  return value === undefined || isNull(value) ? undefined : decode(value);
}

function textField(fields: Fields, name: string): string | undefined {
  const value = optional(fields, name);
  if (value !== undefined && typeof value !== 'string') throw malformed(`${name} must be a string`);
  return value;
}

function textMap(fields: Fields, name: string): Record<string, string> | undefined {
  const value = optional(fields, name);
  if (value === undefined) return undefined;
  const fits = typeof value === 'object' && !Array.isArray(value);
  if (!fits || !Object.values(value as object).every((entry) => typeof entry === 'string'))
    throw malformed(`${name} must be an object of strings`);
  return value as Record<string, string>;
}
