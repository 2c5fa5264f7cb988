import type { Component, MetadataItem } from '../../gen/weft/config/v1/config.js';
import { parseGoDuration } from '../../lib/duration.js';
import { regexProblem } from '../traffic/regex.js';

/** A component's metadata as it is read field by field. Names are compared without case, as Dapr does; whatever was never asked for is unknown. */
export interface MetadataReader {
  /** @returns the value; '' when it is missing, which is a problem unless there is a `fallback` */
  text(name: string, fallback?: string): string;
  /** @returns undefined when it is missing or wrong */
  url(name: string, optional?: 'optional'): string | undefined;
  number(name: string, limits: { readonly above: number; readonly fallback?: number }): number;
  /** @returns milliseconds */
  duration(name: string, fallbackMs: number): number;
  flag(name: string): boolean;
  /** @returns an expression that both RE2 and JavaScript take; undefined: there is none */
  regex(name: string, optional?: 'optional'): string | undefined;
  /** @returns what stands between the commas, trimmed */
  list(name: string): readonly string[];
  /** Looked at by the sidecar alone: any value, also a reference. */
  secret(name: string): void;
  /** Takes note of a value that may not stay. */
  refuse(name: string, why: string): void;
  has(name: string): boolean;
  /** @returns all problems; call it last */
  problems(): readonly string[];
}

const TRUTHY = /^(?:y|yes|true|t|on|1)$/i;

/** @returns a reader of what the control plane must know: values that stand there, and no references */
export function readMetadata(metadata: Component['metadata']): MetadataReader {
  const items = new Map<string, MetadataItem>();
  const asked = new Set<string>();
  const problems: string[] = [];
  const refuse = (name: string, why: string) => void problems.push(`spec.metadata ${name}: ${why}`);
  for (const item of metadata) {
    const key = item.name.toLowerCase();
    if (items.has(key)) refuse(item.name, 'stands there twice; remove one');
    items.set(key, item);
  }
  const find = (name: string) => {
    asked.add(name.toLowerCase());
    return items.get(name.toLowerCase());
  };
  const text = (name: string, fallback?: string): string => {
    const from = find(name)?.from;
    const value = from?.$case === 'value' ? from.value.trim() : '';
    if (from && from.$case !== 'value') refuse(name, 'is read by the control plane, which knows no secrets; give it as value');
    else if (value === '' && fallback === undefined) refuse(name, 'is missing; add it');
    return value === '' ? (fallback ?? '') : value;
  };
  const optionalText = (name: string, optional: 'optional' | undefined) => text(name, optional && '') || undefined;
  return {
    text,
    refuse,
    has: (name) => items.has(name.toLowerCase()),
    url(name, optional) {
      const value = optionalText(name, optional);
      if (value === undefined) return undefined;
      const problem = urlProblem(value);
      if (problem) refuse(name, problem);
      return problem ? undefined : value;
    },
    number(name, { above, fallback }) {
      const value = text(name, fallback === undefined ? undefined : String(fallback));
      const number = Number(value);
      if (value !== '' && !(number > above && number < 1e9)) refuse(name, `expected a number above ${above}; change it`);
      return number;
    },
    duration(name, fallbackMs) {
      const value = text(name, '');
      if (value === '') return fallbackMs;
      const ms = parseGoDuration(value);
      if (ms === undefined || ms < 1 || ms > 3_600_000) refuse(name, 'expected a duration such as 500ms; change it');
      return ms ?? fallbackMs;
    },
    flag: (name) => TRUTHY.test(text(name, '')),
    regex(name, optional) {
      const value = optionalText(name, optional);
      const problem = value === undefined ? undefined : regexProblem(value);
      if (problem) refuse(name, problem);
      return problem ? undefined : value;
    },
    list: (name) =>
      text(name, '')
        .split(',')
        .map((it) => it.trim())
        .filter((it) => it !== ''),
    secret(name) {
      const item = find(name);
      const empty = item?.from?.$case === 'value' ? item.from.value === '' : item?.from === undefined;
      if (empty) refuse(name, 'is missing; add it');
    },
    problems() {
      for (const [key, { name }] of items) if (!asked.has(key)) refuse(name, 'is not known; remove it');
      return problems;
    },
  };
}

function urlProblem(value: string): string | undefined {
  if (!/^https?:\/\//i.test(value) || !URL.canParse(value))
    return 'expected a URL such as https://login.example.com/path; change it';
  const { username, password, hash } = new URL(value);
  return username || password || hash ? 'has a user or a fragment; remove that' : undefined;
}
