/** One entry of a Configuration's `spec.secrets.scopes`. */
export interface SecretScope {
  readonly storeName: string;
  readonly defaultAccess?: string | undefined;
  readonly allowedSecrets?: readonly string[] | undefined;
  readonly deniedSecrets?: readonly string[] | undefined;
}

/** @returns whether the app may read a secret of the store: a list of allowed ones is all there is, then the denied ones, then the default (reference §4.2) */
export function mayRead(scopes: readonly SecretScope[] | undefined, store: string, secret: string): boolean {
  const scope = scopes?.find(({ storeName }) => storeName === store);
  if (!scope) return true;
  const { allowedSecrets = [], deniedSecrets = [], defaultAccess } = scope;
  if (allowedSecrets.length > 0) return allowedSecrets.includes(secret);
  return !deniedSecrets.includes(secret) && defaultAccess?.toLowerCase() !== 'deny';
}
