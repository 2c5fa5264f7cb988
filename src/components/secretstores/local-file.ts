import { unwatchFile, watchFile } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { ComponentFactory, ComponentSpec } from '../../blocks/component.js';
import type { SecretStore, SecretValues } from '../../blocks/secrets/contract.js';
import { flag, type OptionField, readOptions, text } from '../options.js';

/** `secretstores.local.file`: a JSON file, read again when it has changed. Nested names are joined by `nestedSeparator`. */

type Secrets = ReadonlyMap<string, SecretValues>;

const MAX_BYTES = 4 * 1024 * 1024;

const path: OptionField<string> = {
  read(given) {
    if (!given) throw new Error('is required: the path of a JSON file');
    return resolve(given);
  },
};
const schema = { secretsFile: path, nestedSeparator: text(':'), multiValued: flag(false) };

export const createFileSecretStore: ComponentFactory<SecretStore> = async (spec: ComponentSpec, { logger }) => {
  const { secretsFile, nestedSeparator, multiValued } = readOptions(spec, schema);
  const shape = multiValued ? byFirstName : byFullName;
  let version = await versionOf(secretsFile);
  let secrets: Secrets = shape(await readJson(secretsFile), nestedSeparator);

  const current = async (): Promise<Secrets> => {
    try {
      const now = await versionOf(secretsFile);
      if (now !== version) {
        secrets = shape(await readJson(secretsFile), nestedSeparator);
        version = now;
      }
    } catch (error) {
      logger.warn('the secrets file cannot be read again; what was in it stays', { error: (error as Error).message });
    }
    return secrets;
  };

  return {
    capabilities: multiValued ? ['MULTIPLE_KEY_VALUES_PER_SECRET'] : [],
    async get(name) {
      const found = (await current()).get(name);
      if (!found) throw new Error(`secret ${name} not found`);
      return found;
    },
    getAll: async () => Object.fromEntries(await current()),
    watch: (onChange) => watchPath(secretsFile, onChange),
    close: async () => {},
  };
};

/** Looked at, and not told by the system: a file may be replaced, or be a link that is turned elsewhere. */
const LOOK_MS = 500;
/** Who writes a file may not be done with it at once. */
const SETTLE_MS = 200;

function watchPath(file: string, onChange: () => void): () => void {
  let settling: NodeJS.Timeout | undefined;
  const changed = () => {
    clearTimeout(settling);
    settling = setTimeout(onChange, SETTLE_MS).unref();
  };
  watchFile(file, { interval: LOOK_MS, persistent: false }, changed);
  return () => {
    clearTimeout(settling);
    unwatchFile(file, changed);
  };
}

async function versionOf(file: string): Promise<string> {
  try {
    const { mtimeMs, size, ino } = await stat(file);
    return `${mtimeMs} ${size} ${ino}`;
  } catch (error) {
    throw new Error(`metadata secretsFile: ${file} cannot be read: ${(error as NodeJS.ErrnoException).code}`);
  }
}

/** What is wrong with the content is said without a piece of it. */
async function readJson(file: string): Promise<Record<string, unknown>> {
  const bytes = await readFile(file);
  if (bytes.length > MAX_BYTES) throw new Error(`metadata secretsFile: ${file} is larger than ${MAX_BYTES} bytes`);
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString('utf8'));
  } catch {
    throw new Error(`metadata secretsFile: ${file} is not JSON`);
  }
  if (!isObject(value)) throw new Error(`metadata secretsFile: ${file} must hold a JSON object`);
  return value;
}

/** Each value is a secret of its own. */
function byFullName(json: Record<string, unknown>, separator: string): Secrets {
  return new Map(flatten(json, separator).map(([name, value]) => [name, { [name]: value }]));
}

/** Each name at the top is a secret, with what is below it as its keys. */
function byFirstName(json: Record<string, unknown>, separator: string): Secrets {
  return new Map(
    Object.entries(json).map(([name, value]) => [
      name,
      isContainer(value) ? Object.fromEntries(flatten(value, separator)) : { [name]: textOf(value) },
    ]),
  );
}

function flatten(value: object, separator: string, prefix = ''): [string, string][] {
  return Object.entries(value).flatMap(([name, inner]): [string, string][] =>
    isContainer(inner) ? flatten(inner, separator, `${prefix}${name}${separator}`) : [[prefix + name, textOf(inner)]],
  );
}

const isObject = (value: unknown): value is Record<string, unknown> => isContainer(value) && !Array.isArray(value);
const isContainer = (value: unknown): value is object => typeof value === 'object' && value !== null;
const textOf = (value: unknown): string => (value === null ? '' : String(value));
