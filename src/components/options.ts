import type { ComponentSpec } from '../blocks/component.js';
import { isTruthy, parseGoDuration } from '../lib/duration.js';

/** One metadata item of a component: how its text is read, and what holds without it. */
export interface OptionField<T> {
  /** @param text undefined: the item is not there @throws Error that says what would be right */
  readonly read: (text: string | undefined) => T;
  /** Other names that Dapr takes for it. */
  readonly aliases?: readonly string[];
}

export type OptionSchema = Readonly<Record<string, OptionField<unknown>>>;
export type Options<S extends OptionSchema> = { readonly [K in keyof S]: S[K] extends OptionField<infer T> ? T : never };

/**
 * Reads a component's metadata by a schema whose keys are Dapr's metadata names. Names of nobody are left alone, since Dapr has
 * reserved ones and files are shared with it.
 * @throws Error that names the item and the remedy
 */
export function readOptions<S extends OptionSchema>(spec: ComponentSpec, schema: S): Options<S> {
  const entries = Object.entries(schema).map(([name, field]) => {
    const text = [name, ...(field.aliases ?? [])].map((alias) => spec.metadata.get(alias.toLowerCase())).find(Boolean);
    try {
      return [name, field.read(text)];
    } catch (error) {
      throw new Error(`metadata ${name}: ${error instanceof Error ? error.message : error}`);
    }
  });
  return Object.fromEntries(entries) as Options<S>;
}

export const text = (fallback: string): OptionField<string> => ({ read: (given) => given ?? fallback });

/** Go durations, or a whole number of seconds. In milliseconds. */
export const duration = (fallbackMs: number, aliases: readonly string[] = []): OptionField<number> => ({
  aliases,
  read: (given) => {
    if (given === undefined) return fallbackMs;
    const ms = /^-?\d+$/.test(given) ? Number(given) * 1000 : parseGoDuration(given);
    if (ms === undefined) throw new Error(`'${given}' is not a duration; write it like 20s or 500ms`);
    return ms;
  },
});

export const flag = (fallback: boolean): OptionField<boolean> => ({
  read: (given) => (given === undefined ? fallback : isTruthy(given)),
});

/** A table or column name that needs no quoting. */
export const identifier = (fallback: string): OptionField<string> => ({
  read: (given = fallback) => {
    if (!/^[A-Za-z0-9_]+$/.test(given)) throw new Error(`'${given}' may hold only letters, digits and underscores`);
    return given;
  },
});
