import { messageOf } from '../errors.js';
import type { Component, ComponentResiliency } from '../gen/weft/config/v1/config.js';
import { deferred } from '../lib/async.js';
import { type Clock, systemClock } from '../lib/clock.js';
import type { ComponentDeps } from './component.js';
import { type ComponentListener, ComponentListeners } from './component-listeners.js';
import { type HostedComponent, loadComponent } from './component-loader.js';
import { loadRounds, takesSecrets } from './component-order.js';
import { ComponentRetries } from './component-retries.js';
import type { SecretResolver, SpecContext } from './component-spec.js';
import { type Block, type ComponentTypes, componentType } from './component-types.js';
import { type ComponentMetadata, ComponentsInForce, contentOf, type Entry, isActorStore } from './components-in-force.js';
import type { ConfigChange, ConfigSource } from './config-source.js';
import { ComponentPolicies } from './resiliency/component-policies.js';
import type { ResiliencyObserver } from './resiliency/observer.js';
import { hasOtherSecrets } from './secrets/changed.js';
import { SecretWatch } from './secrets/watch.js';

export type { ComponentEvent, ComponentListener } from './component-listeners.js';
export type { HostedComponent } from './component-loader.js';
export type { ComponentMetadata } from './components-in-force.js';

export interface ComponentHost {
  /** @returns undefined when no such component is in force */
  state(name: string): HostedComponent<'state'> | undefined;
  pubsub(name: string): HostedComponent<'pubsub'> | undefined;
  secrets(name: string): HostedComponent<'secrets'> | undefined;
  /** Looks a secret up for a resource. @throws Error when there is no such store or secret */
  readonly readSecret: SecretResolver;
  /** Every component of `block`. */
  all<B extends Block>(block: B): readonly HostedComponent<B>[];
  /** The one state store with `actorStateStore: "true"`. */
  actorStateStore(): HostedComponent<'state'> | undefined;
  /** For the metadata API, in name order. */
  list(): readonly ComponentMetadata[];
  /** Components that were asked for and are not in force, or only in an older version. */
  failures(): readonly ComponentFailure[];
  /** Resolves once the first set has been applied, whatever came of it. */
  loaded(): Promise<void>;
  /** A listener's promise is waited for (5 s at most) before a replaced component closes. @returns stop listening */
  onChange(listener: ComponentListener): () => void;
  /** Closes every component. Idempotent. */
  close(): Promise<void>;
}

export interface ComponentFailure {
  readonly name: string;
  readonly type: string;
  /** Names component, source and remedy. */
  readonly error: string;
}

export interface ComponentHostOptions {
  readonly source: ConfigSource;
  readonly types: ComponentTypes;
  readonly deps: ComponentDeps;
  /** Default: `process.env`. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Of what resiliency policies do. */
  readonly resiliency?: ResiliencyObserver;
  /** Told each time that a component could not be brought in force. */
  readonly onFailure?: (failure: ComponentFailure) => void;
  /** Default: the clock. */
  readonly clock?: Clock;
  /** In [0, 1). Default: `Math.random`. */
  readonly random?: () => number;
}

/** Loads the components that `source` names and keeps them as it says from then on. */
export function createComponentHost(options: ComponentHostOptions): ComponentHost {
  const host = new Host(options);
  options.source.on('resiliency', async (change) => host.applyPolicies(change));
  options.source.on('component', (change) => host.apply(change));
  return host;
}

class Host implements ComponentHost {
  readonly #options: ComponentHostOptions;
  readonly #inForce: ComponentsInForce;
  readonly #failures = new Map<string, ComponentFailure>();
  readonly #listeners: ComponentListeners;
  readonly #loaded = deferred<void>();
  readonly #retries: ComponentRetries;
  readonly #secretWatch: SecretWatch;
  /** The end of the queue of loads: a retry must not run beside a change. */
  #turn: Promise<unknown> = Promise.resolve();
  #retiring: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor(options: ComponentHostOptions) {
    this.#options = options;
    const { clock = systemClock, random = Math.random, resiliency: observer } = options;
    this.#inForce = new ComponentsInForce(new ComponentPolicies({ clock, random, observer }));
    this.#listeners = new ComponentListeners(options.deps.logger);
    this.#secretWatch = new SecretWatch((store) => this.#secretsChanged(store));
    this.#retries = new ComponentRetries({ clock, random, load: (key, resource) => this.#retry(key, resource) });
  }

  readonly state = (name: string) => this.#inForce.state(name);
  readonly pubsub = (name: string) => this.#inForce.pubsub(name);
  readonly secrets = (name: string) => this.#inForce.secrets(name);
  readonly all = <B extends Block>(block: B) => this.#inForce.all(block);
  readonly actorStateStore = () => this.#inForce.actorStateStore();
  readonly list = () => this.#inForce.list();
  readonly onChange = (listener: ComponentListener) => this.#listeners.add(listener);

  failures(): readonly ComponentFailure[] {
    return [...this.#failures.values()];
  }

  loaded(): Promise<void> {
    return this.#loaded.promise;
  }

  /** One change of the config source. What can be loaded is in force afterwards, whatever became of the rest. @throws Error with every failure */
  apply(change: ConfigChange<Component>): Promise<void> {
    return this.#inTurn(() => this.#applyNow(change));
  }

  #inTurn<T>(action: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(action);
    this.#turn = turn.catch(() => {});
    return turn;
  }

  async #applyNow(change: ConfigChange<Component>): Promise<void> {
    if (this.#closed) return;
    for (const key of change.removed) {
      this.#failures.delete(key);
      this.#retries.cancel(key);
      await this.#put(key, undefined);
    }
    const refused: string[] = [];
    for (const round of loadRounds([...change.updated])) {
      const results = await Promise.all(round.map(([key, resource]) => this.#prepare(key, resource)));
      // Actor stores last: one change may take `actorStateStore` off one component and put it on another.
      results.sort((a, b) => Number(wantsActors(a)) - Number(wantsActors(b)));
      for (const result of results) {
        const failure = await this.#settle(result);
        if (failure === undefined) this.#retries.cancel(result.key);
        else {
          this.#tryAgainLater(result);
          if (!result.resource.ignoreErrors) refused.push(failure);
        }
      }
    }
    this.#loaded.resolve();
    if (refused.length > 0) throw new Error(refused.join('; '));
  }

  /** Brings in force what was prepared. @returns why it cannot be */
  async #settle({
    key,
    resource,
    entry,
    failure = entry && this.#inForce.refusal(entry.hosted),
  }: Prepared): Promise<string | undefined> {
    if (failure === undefined) {
      this.#failures.delete(key);
      if (entry) await this.#put(key, entry);
      return undefined;
    }
    if (entry) await entry.hosted.slot.component.close();
    const error = `component ${resource.name} (${resource.source || 'no file'}): ${failure}`;
    const failed = { name: resource.name, type: resource.type, error };
    this.#failures.set(key, failed);
    this.#options.onFailure?.(failed);
    return error;
  }

  #tryAgainLater({ key, resource }: Prepared): void {
    const { logger } = this.#options.deps;
    const error = this.#failures.get(key)?.error;
    if (!this.#isKnown(resource)) {
      this.#retries.cancel(key);
      // Else the one who brought the change says so.
      if (resource.ignoreErrors) logger.warn('component left out', { error });
      return;
    }
    const ms = this.#retries.schedule(key, resource);
    logger.warn('component left out, it will be tried again', { error, in_ms: Math.round(ms) });
  }

  /** One that no version of this sidecar can load is not worth another try. */
  #isKnown({ type, version }: Component): boolean {
    try {
      return componentType(this.#options.types, type, version) !== undefined;
    } catch {
      return false;
    }
  }

  #retry(key: string, resource: Component): Promise<boolean> {
    return this.#inTurn(async () => {
      // Removed, or another one came, while this waited for its turn.
      if (this.#closed || !this.#retries.isWaiting(key, resource)) return true;
      const { logger } = this.#options.deps;
      const error = await this.#settle(await this.#prepare(key, resource));
      if (error !== undefined) {
        logger.warn('component still cannot be loaded, it will be tried again', { error });
        return false;
      }
      logger.info('component loaded after all', { component: resource.name });
      if (!resource.ignoreErrors) this.#options.source.refresh?.('component', key);
      return true;
    });
  }

  readonly readSecret: SecretResolver = async (store, secret, key) => {
    const hosted = this.#inForce.secrets(store);
    if (!hosted) throw new Error('there is no such secret store in force');
    const values = await hosted.slot.track(hosted.component.get(secret, {}));
    const value = values[key];
    if (!value) throw new Error(`it has no key ${key}, or an empty one`);
    return value;
  };

  applyPolicies(change: ConfigChange<ComponentResiliency>): void {
    this.#inForce.applyPolicies(change);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#retries.close();
    this.#secretWatch.close();
    for (const [key] of this.#inForce.entries()) await this.#put(key, undefined);
    await this.#retiring;
  }

  async #prepare(key: string, resource: Component): Promise<Prepared> {
    const content = contentOf(resource);
    const known = this.#inForce.get(key);
    if (known?.content === content && !known.isStale) return { key, resource };
    try {
      const hosted = await loadComponent(resource, this.#options.types, this.#context());
      return { key, resource, entry: { content, resource, hosted } };
    } catch (error) {
      return { key, resource, failure: messageOf(error) };
    }
  }

  #context(): SpecContext {
    const { deps, env = process.env } = this.#options;
    return { deps, env, resolveSecret: this.readSecret };
  }

  /** Makes those components anew whose secrets are others now. One that cannot be made stays as it is, and is tried again. */
  #secretsChanged(store: string): void {
    const takes = (resource: Component) => takesSecrets(resource) && resource.secretStore === store;
    void this.#inTurn(async () => {
      this.#retries.hurry(takes);
      for (const [key, entry] of this.#inForce.entries()) {
        const { resource, hosted } = entry;
        if (this.#closed || !takes(resource) || !(await hasOtherSecrets(resource, hosted.spec, this.#context()))) continue;
        entry.isStale = true;
        const result = await this.#prepare(key, resource);
        if ((await this.#settle(result)) === undefined) {
          this.#retries.cancel(key);
          this.#options.deps.logger.info('component loaded again, its secrets have changed', { component: resource.name });
        } else this.#tryAgainLater(result);
      }
    });
  }

  #followSecrets(): void {
    const named = this.#inForce.entries().filter(([, { resource }]) => takesSecrets(resource));
    const stores = named
      .map(([, { resource }]) => this.#inForce.secrets(resource.secretStore))
      .filter((hosted) => hosted !== undefined);
    this.#secretWatch.follow(new Map(stores.map(({ name, slot }) => [name, slot.component])));
  }

  /** Brings `next` in force under `key`, undefined: nothing. The previous one closes in the background. */
  async #put(key: string, next: Entry | undefined): Promise<void> {
    const previous = this.#inForce.put(key, next);
    if (!this.#closed) this.#followSecrets();
    const subject = next?.hosted ?? previous;
    if (subject === undefined) return;
    const kind = next ? (previous ? 'replaced' : 'added') : 'removed';
    await this.#listeners.tell({ kind, block: subject.block, name: subject.name });
    // Another store may have other secrets, or those that somebody waits for.
    if (next && subject.block === 'secrets') this.#secretsChanged(subject.name);
    if (previous) this.#retiring = Promise.all([this.#retiring, previous.slot.retire(previous.name, this.#options.deps.logger)]);
  }
}

/** What became of one resource: a new entry, nothing to do (neither), or a failure. */
interface Prepared {
  readonly key: string;
  readonly resource: Component;
  readonly entry?: Entry;
  readonly failure?: string;
}

function wantsActors({ entry }: Prepared): boolean {
  return entry !== undefined && isActorStore(entry.hosted);
}
