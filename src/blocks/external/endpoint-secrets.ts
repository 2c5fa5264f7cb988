import { isDeepStrictEqual } from 'node:util';
import { messageOf } from '../../errors.js';
import type { EndpointSecret, HttpEndpoint } from '../../gen/weft/config/v1/config.js';
import { withDeadline } from '../../lib/async.js';
import type { Clock } from '../../lib/clock.js';
import type { Logger } from '../../telemetry/logger.js';
import type { ComponentHost } from '../component-host.js';
import type { ConfigChange, ConfigSource } from '../config-source.js';
import { readEndpointSecret, type SecretValue } from './secret-value.js';

/** A secret as Envoy is to get it. */
export interface ServedSecret {
  readonly kind: SecretValue['kind'] | undefined;
  /** undefined: it cannot be read, and never could; calls that need it must fail. */
  readonly value: SecretValue | undefined;
  /** Another one for another value; tells nothing about it. */
  readonly version: number;
}

/** What the calls of external services take along (HTTPEndpoint), as this sidecar reads it from its secret stores and environment. */
export interface EndpointSecrets {
  /** @returns undefined: no endpoint that is known yet has such a secret */
  get(name: string): ServedSecret | undefined;
  /** What cannot be read now, one line each with place and remedy. */
  problems(): readonly string[];
  /** The endpoints' names, in their order. */
  endpoints(): readonly string[];
  /** Calls back when a value or a problem has changed. @returns stop listening */
  onChange(listener: () => void): () => void;
  close(): void;
}

export interface EndpointSecretsOptions {
  readonly source: ConfigSource;
  readonly host: Pick<ComponentHost, 'readSecret' | 'onChange'>;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** How often secret stores are asked whether a secret has changed, or has come. */
const REFRESH_MS = 10_000;
const READ_MS = 5_000;

/** Reads the secrets of the endpoints that `source` names, and follows them. One that was read once stays while it cannot be read. */
export function followEndpointSecrets(options: EndpointSecretsOptions): EndpointSecrets {
  return new Follower(options);
}

class Follower implements EndpointSecrets {
  readonly #options: EndpointSecretsOptions;
  readonly #endpoints = new Map<string, HttpEndpoint>();
  readonly #listeners = new Set<() => void>();
  readonly #stopListening: () => void;
  #served = new Map<string, ServedSecret>();
  #problems: readonly string[] = [];
  #versions = 0;
  /** The end of the queue of readings: a slow store must not let an old value overtake a new one. */
  #turn: Promise<void> = Promise.resolve();
  #cancelRefresh = () => {};
  #closed = false;

  constructor(options: EndpointSecretsOptions) {
    this.#options = options;
    options.source.on('externalEndpoint', (change) => this.#apply(change));
    this.#stopListening = options.host.onChange(({ block }) => {
      // Not waited for: the change of a store must not wait for readings from it.
      if (block === 'secrets' && this.#endpoints.size > 0) void this.#read();
    });
  }

  get(name: string): ServedSecret | undefined {
    return this.#served.get(name);
  }

  problems(): readonly string[] {
    return this.#problems;
  }

  endpoints(): readonly string[] {
    return [...this.#endpoints.values()].map(({ name }) => name).sort();
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  close(): void {
    this.#closed = true;
    this.#cancelRefresh();
    this.#stopListening();
  }

  async #apply({ updated, removed }: ConfigChange<HttpEndpoint>): Promise<void> {
    for (const name of removed) this.#endpoints.delete(name);
    for (const [name, endpoint] of updated) this.#endpoints.set(name, endpoint);
    await this.#read();
  }

  #read(): Promise<void> {
    this.#turn = this.#turn.then(() => this.#readNow());
    return this.#turn;
  }

  async #readNow(): Promise<void> {
    if (this.#closed) return;
    const problems: string[] = [];
    const readings = [...this.#endpoints.values()].flatMap((endpoint) =>
      endpoint.secrets.map(async (secret) => {
        const reading = readEndpointSecret(secret, endpoint.secretStore, this.#options);
        const what = `secret store ${endpoint.secretStore}`;
        const value = await withDeadline(reading, READ_MS, what).catch((error: unknown) => {
          problems.push(`HTTPEndpoint ${endpoint.name} (${endpoint.source || 'no file'}): ${messageOf(error)}`);
          return undefined;
        });
        return [secret.name, this.#next(secret, value)] as const;
      }),
    );
    const served = new Map(await Promise.all(readings));
    if (this.#closed) return;
    this.#tell(served, problems.sort());
    this.#cancelRefresh();
    if (this.#mayChange()) this.#cancelRefresh = this.#options.clock.after(REFRESH_MS, () => void this.#read());
  }

  #next({ name, kind }: EndpointSecret, value: SecretValue | undefined): ServedSecret {
    const before = this.#served.get(name);
    if (before && (value === undefined || isDeepStrictEqual(before.value, value))) return before;
    this.#versions += 1;
    return { kind: kind?.$case, value, version: this.#versions };
  }

  #tell(served: Map<string, ServedSecret>, problems: readonly string[]): void {
    const { logger } = this.#options;
    for (const problem of problems)
      if (!this.#problems.includes(problem)) logger.error('a secret of an external service cannot be read', { problem });
    const same = isDeepStrictEqual(problems, this.#problems) && sameSecrets(served, this.#served);
    this.#served = served;
    this.#problems = problems;
    if (same) return;
    for (const listener of this.#listeners) listener();
  }

  /** What stands in the document or the environment stays as it is. */
  #mayChange(): boolean {
    return [...this.#endpoints.values()].some(({ secrets }) =>
      secrets.some(({ kind }) => {
        const items = kind?.$case === 'keyPair' ? [kind.value.certificate, kind.value.privateKey] : [kind?.value];
        return items.some((item) => item?.from?.$case === 'secretKeyRef');
      }),
    );
  }
}

const sameSecrets = (a: ReadonlyMap<string, ServedSecret>, b: ReadonlyMap<string, ServedSecret>) =>
  a.size === b.size && [...a].every(([name, secret]) => b.get(name) === secret);
