import { AppError } from '../../errors.js';
import type { ComponentSpec } from '../component.js';

export const KEY_SEPARATOR = '||';

/** A lone surrogate, or what decoders put where bytes were not UTF-8. */
const MALFORMED = /[\uFFFD\p{Surrogate}]/u;

export interface KeyOwner {
  readonly appId: string;
  /** Undefined or empty: none was given, so the `namespace` strategy falls back to the app id (reference §6). */
  readonly namespace?: string | undefined;
}

/**
 * @returns what stands before every key of the store, separator included; empty: keys stand alone
 * @throws AppError stateIllegalKey when a literal prefix holds the separator
 */
export function keyPrefix(spec: ComponentSpec, { appId, namespace }: KeyOwner): string {
  // The value is case-insensitive in Dapr, a literal too: it is stored in lower case.
  const strategy = (spec.metadata.get('keyprefix') ?? 'appid').toLowerCase();
  if (strategy.includes(KEY_SEPARATOR)) throw new AppError('stateIllegalKey', { name: spec.name, key: strategy });
  switch (strategy) {
    case 'none':
      return '';
    case 'name':
      return spec.name + KEY_SEPARATOR;
    case 'appid':
      return appId + KEY_SEPARATOR;
    case 'namespace':
      return (namespace ? `${namespace}.${appId}` : appId) + KEY_SEPARATOR;
    default:
      return strategy + KEY_SEPARATOR;
  }
}

/** @throws AppError when `key` is empty, holds the separator, or is not well-formed text: two such keys could be stored as one (reference §10) */
export function checkKey(key: string, storeName: string): void {
  if (key === '') throw new AppError('stateMalformedRequest', { err: '"key" is a required field' });
  if (key.includes(KEY_SEPARATOR)) throw new AppError('stateIllegalKey', { name: storeName, key });
  if (MALFORMED.test(key)) throw new AppError('stateMalformedRequest', { err: 'the key is not well-formed Unicode' });
}
