import type { LoadedComponent } from '../component.js';

/** As the metadata API shows it: one secret may hold several keys. */
export type SecretCapability = 'MULTIPLE_KEY_VALUES_PER_SECRET';

/** The keys of one secret with their values; a secret of one value has its own name as its key. */
export type SecretValues = Readonly<Record<string, string>>;

export type SecretMetadata = Readonly<Record<string, string>>;

/** The port that a secret store implements. Values never go into an error's text. */
export interface SecretStore extends LoadedComponent {
  readonly capabilities: readonly SecretCapability[];
  /** @throws Error when there is no such secret, unless the store's kind calls that empty */
  get(name: string, metadata: SecretMetadata): Promise<SecretValues>;
  /** Every secret by its name. */
  getAll(metadata: SecretMetadata): Promise<Readonly<Record<string, SecretValues>>>;
  /** Calls back when secrets may be others than before. Only where the store can see that. @returns stop; idempotent */
  watch?(onChange: () => void): () => void;
}
