import { z } from 'zod';
import { nearest } from '../../lib/suggest.js';

/** Zod issues in words: one line each, with the field's path and what to do. */

/**
 * @returns an object schema that refuses fields it does not know, and says which one was meant
 */
export function strict<const Shape extends z.ZodRawShape>(shape: Shape) {
  return z.strictObject(shape, {
    error: (issue) => {
      if (issue.code !== 'unrecognized_keys') return undefined;
      return (issue.keys as readonly string[]).map((key) => unknownField(key, Object.keys(shape))).join('\n');
    },
  });
}

function unknownField(key: string, known: readonly string[]): string {
  const meant = nearest(key, known);
  return `${key}: unknown field${meant ? ` (did you mean ${meant}?)` : ''}; ${meant ? 'rename' : 'remove'} it`;
}

/** @returns the problems of `issues`, each as `<field path>: <what>; <remedy>` */
export function describeIssues(issues: readonly z.core.$ZodIssue[]): string[] {
  return issues.flatMap((issue) => {
    if (issue.code === 'unrecognized_keys') return issue.message.split('\n').map((line) => at([...issue.path], line, '.'));
    return [at([...issue.path], describeIssue(issue), ': ')];
  });
}

function at(path: readonly PropertyKey[], text: string, separator: string): string {
  const where = path.reduce<string>((before, part) => {
    if (typeof part === 'number') return `${before}[${part}]`;
    return before === '' ? String(part) : `${before}.${String(part)}`;
  }, '');
  return where === '' ? text : `${where}${separator}${text}`;
}

function describeIssue(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case 'invalid_type':
      return issue.input === undefined
        ? 'is missing; add it'
        : `expected ${named(issue.expected)}, got ${typeName(issue.input)}; ${howTo(issue)}`;
    case 'invalid_value': {
      const values = issue.values.map(String);
      if (issue.input === undefined) return `is missing; set it to ${values.join(' or ')}`;
      const meant = nearest(String(issue.input), values);
      return `expected ${values.join(' or ')}, got ${short(issue.input)}${meant ? ` (did you mean ${meant}?)` : ''}; change it`;
    }
    case 'invalid_union':
      return `expected ${unionNames(issue)}, got ${typeName(issue.input)}; change it`;
    case 'too_small':
      return issue.origin === 'string' ? 'is empty; give it a value' : `expected at least ${issue.minimum}; change it`;
    case 'too_big':
      return `expected at most ${issue.maximum}; change it`;
    default:
      return issue.message;
  }
}

const howTo = ({ expected }: { readonly expected: string }) => (expected === 'string' ? 'put it in quotes' : 'change it');

function unionNames(issue: Extract<z.core.$ZodIssue, { code: 'invalid_union' }>): string {
  const names = (issue.errors ?? [])
    .flat()
    .map((inner) => (inner.code === 'invalid_type' ? named(inner.expected) : 'another value'));
  return [...new Set(names)].join(' or ') || 'another value';
}

const named = (type: string) =>
  ({ object: 'a mapping', record: 'a mapping', array: 'a list', int: 'a whole number' })[type] ?? type;

function typeName(value: unknown): string {
  if (value === null) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'object' ? 'a mapping' : typeof value;
}

/** Only for values of closed lists; never for what may be a secret. */
const short = (value: unknown) => JSON.stringify(value)?.slice(0, 60) ?? 'nothing';
