import yaml from 'js-yaml';
import { messageOf } from '../../errors.js';

/** A file's documents, each parsed alone: one that cannot be read leaves the others in force. */
export interface YamlDocument {
  /** Counts from 1; empty documents are not counted. */
  readonly number: number;
  readonly value?: unknown;
  /** Why it cannot be read, one line. */
  readonly problem?: string;
}

/** A resource has a few hundred values; more come from aliases that multiply each other. */
const MAX_VALUES = 50_000;
const MAX_DEPTH = 64;
const MAX_DOCUMENTS = 1000;

/** Whole numbers that JavaScript cannot hold exactly stay text: a metadata value must arrive digit by digit. */
const exactInt = new yaml.Type('tag:yaml.org,2002:int', {
  kind: 'scalar',
  resolve: (data: unknown) => typeof data === 'string' && /^[-+]?(0|[1-9][0-9]*)$/.test(data),
  construct: (data: string) => (Number.isSafeInteger(Number(data)) ? Number(data) : data),
});

// No timestamps: `value: 2024-01-01` is that text.
const { null: nul, bool, float, merge } = (yaml as unknown as { types: Record<string, yaml.Type> }).types;
const schema = yaml.FAILSAFE_SCHEMA.extend({
  implicit: [nul, bool, exactInt, float, merge].filter((type) => type !== undefined),
});

/** @returns the documents of `text` */
export function parseDocuments(text: string): YamlDocument[] {
  const documents: YamlDocument[] = [];
  let line = 0;
  for (const part of text.split(/^---(?=\s|$)/m)) {
    const firstLine = line;
    line += part.split('\n').length - 1;
    if (isEmpty(part)) continue;
    const number = documents.length + 1;
    if (number > MAX_DOCUMENTS) {
      documents.push({ number, problem: `more than ${MAX_DOCUMENTS} documents; split the file` });
      break;
    }
    documents.push({ number, ...parse(part, firstLine) });
  }
  return documents;
}

const isEmpty = (part: string) => part.split('\n').every((line) => /^\s*(#.*)?$|^\.\.\.\s*$|^%/.test(line));

function parse(part: string, firstLine: number): Pick<YamlDocument, 'value' | 'problem'> {
  try {
    const value = yaml.load(part, { schema });
    const problem = sizeProblem(value);
    return problem ? { problem } : { value };
  } catch (error) {
    if (!(error instanceof yaml.YAMLException)) return { problem: `cannot be read: ${messageOf(error)}` };
    const at = error.mark ? `line ${firstLine + error.mark.line + 1}: ` : '';
    return { problem: `${at}${error.reason}; correct the YAML` };
  }
}

/** Aliases are counted as often as they stand for something, so the walk ends at the bound, not at the bomb's end. */
function sizeProblem(root: unknown): string | undefined {
  let values = 0;
  const fits = (value: unknown, depth: number): boolean => {
    values += 1;
    if (values > MAX_VALUES || depth > MAX_DEPTH) return false;
    if (typeof value !== 'object' || value === null) return true;
    return Object.values(value).every((item) => fits(item, depth + 1));
  };
  if (fits(root, 0)) return undefined;
  return values > MAX_VALUES
    ? `more than ${MAX_VALUES} values, aliases counted where they stand; write it without so many aliases`
    : `nested deeper than ${MAX_DEPTH} levels; write it flatter`;
}
