import { messageOf } from '../../errors.js';
import { EtagError, type MaybePromise } from './contract.js';

/** Most store operations of one request under way at a time. */
export const MAX_PARALLEL = 64;

/**
 * Runs `operation` on every item, at most {@link MAX_PARALLEL} at a time, started in order; a failure stops none of the others.
 * @returns nothing at once when every operation ended at once
 * @throws the one error, or one that tells all; an EtagError among them gives its kind
 */
export function runAll<T>(items: readonly T[], operation: (item: T) => MaybePromise<unknown>): MaybePromise<void> {
  const errors: unknown[] = [];
  for (const [index, item] of items.entries()) {
    try {
      const result = operation(item);
      if (result instanceof Promise) return runRest(result, items.slice(index + 1), operation, errors);
    } catch (error) {
      errors.push(error);
    }
  }
  raise(errors);
  return undefined;
}

async function runRest<T>(
  first: Promise<unknown>,
  rest: readonly T[],
  operation: (item: T) => MaybePromise<unknown>,
  errors: unknown[],
): Promise<void> {
  const queue = rest.values();
  const worker = async () => {
    for (const item of queue) {
      try {
        await operation(item);
      } catch (error) {
        errors.push(error);
      }
    }
  };
  const workers = Array.from({ length: Math.min(MAX_PARALLEL, rest.length) }, worker);
  await Promise.all([first.catch((error) => errors.push(error)), ...workers]);
  raise(errors);
}

function raise(errors: readonly unknown[]): void {
  if (errors.length === 0) return;
  const etag = errors.find((error) => error instanceof EtagError);
  if (errors.length === 1) throw errors[0];
  const text = errors.map(messageOf).join('; ');
  throw etag instanceof EtagError ? new EtagError(etag.kind, etag.key, text) : new Error(text);
}
