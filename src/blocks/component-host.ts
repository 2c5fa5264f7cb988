import { messageOf } from '../errors.js';
import { Component, type ComponentResiliency } from '../gen/weft/config/v1/config.js';
import { deferred, withDeadline } from '../lib/async.js';
import { type Clock, systemClock } from '../lib/clock.js';
import { isTruthy } from '../lib/duration.js';
import type { Caller } from './caller.js';
import type { ComponentDeps } from './component.js';
import { type HostedComponent, loadComponent } from './component-loader.js';
import { loadRounds, takesSecrets } from './component-order.js';
import { ComponentRetries } from './component-retries.js';
import { resolveItem, type SecretResolver, type SpecContext } from './component-spec.js';
import { type Block, type BlockComponents, type ComponentTypes, componentType, POLICY_TYPE } from './component-types.js';
import type { ConfigChange, ConfigSource } from './config-source.js';
import { ComponentPolicies } from './resiliency/component-policies.js';
import { resilientPubSub, resilientSecrets, resilientStore } from './resiliency/components.js';
import type { ResiliencyObserver } from './resiliency/observer.js';
import type { Policy } from './resiliency/policy.js';
import { SecretWatch } from './secrets/watch.js';

export type { HostedComponent } from './component-loader.js';

/** `removed`: gone for good; `replaced`: a new version serves already, the old one closes once listeners are done with it. */
export interface ComponentEvent {
  readonly kind: 'added' | 'replaced' | 'removed';
  readonly block: Block;
  readonly name: string;
}

export interface ComponentMetadata {
  readonly name: string;
  readonly type: string;
  readonly version: string;
  readonly capabilities: readonly string[];
}

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

export type ComponentListener = (event: ComponentEvent) => void | Promise<void>;

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

const LISTENER_LIMIT_MS = 5_000;
const FOR_ACTORS = ['ETAG', 'TRANSACTIONAL'] as const;

/** Loads the components that `source` names and keeps them as it says from then on. */
export function createComponentHost(options: ComponentHostOptions): ComponentHost {
  const host = new Host(options);
  options.source.on('resiliency', async (change) => host.applyPolicies(change));
  options.source.on('component', (change) => host.apply(change));
  return host;
}

/** What is in force under one resource name. */
interface Entry {
  readonly content: string;
  readonly resource: Component;
  /** Its secrets are others now, and it could not be made with them yet. */
  isStale?: boolean;
  readonly hosted: HostedComponent;
}

class Host implements ComponentHost {
  readonly #options: ComponentHostOptions;
  readonly #entries = new Map<string, Entry>();
  readonly #failures = new Map<string, ComponentFailure>();
  readonly #policies: ComponentPolicies;
  readonly #listeners = new Set<ComponentListener>();
  readonly #loaded = deferred<void>();
  readonly #state = new Map<string, HostedComponent<'state'>>();
  readonly #pubsub = new Map<string, HostedComponent<'pubsub'>>();
  readonly #secrets = new Map<string, HostedComponent<'secrets'>>();
  readonly #retries: ComponentRetries;
  readonly #secretWatch: SecretWatch;
  /** The end of the queue of loads: a retry must not run beside a change. */
  #turn: Promise<unknown> = Promise.resolve();
  #actorStore: HostedComponent<'state'> | undefined;
  #retiring: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor(options: ComponentHostOptions) {
    this.#options = options;
    const { clock = systemClock, random = Math.random, resiliency: observer } = options;
    this.#policies = new ComponentPolicies({ clock, random, observer });
    this.#secretWatch = new SecretWatch((store) => this.#secretsChanged(store));
    this.#retries = new ComponentRetries({ clock, random, load: (key, resource) => this.#retry(key, resource) });
  }

  state(name: string): HostedComponent<'state'> | undefined {
    return this.#state.get(name);
  }

  pubsub(name: string): HostedComponent<'pubsub'> | undefined {
    return this.#pubsub.get(name);
  }

  secrets(name: string): HostedComponent<'secrets'> | undefined {
    return this.#secrets.get(name);
  }

  all<B extends Block>(block: B): readonly HostedComponent<B>[] {
    const all = [...this.#entries.values()].map(({ hosted }) => hosted);
    return all.filter((hosted) => hosted.block === block) as unknown as HostedComponent<B>[];
  }

  actorStateStore(): HostedComponent<'state'> | undefined {
    return this.#actorStore;
  }

  list(): readonly ComponentMetadata[] {
    const all = [...this.#entries.values()].map(({ hosted }) => hosted);
    return all.map(describe).sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  failures(): readonly ComponentFailure[] {
    return [...this.#failures.values()];
  }

  loaded(): Promise<void> {
    return this.#loaded.promise;
  }

  onChange(listener: ComponentListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
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
  async #settle({ key, resource, entry, failure = entry && this.#refusal(entry.hosted) }: Prepared): Promise<string | undefined> {
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
      logger.warn('component left out', { error });
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
    const hosted = this.#secrets.get(store);
    if (!hosted) throw new Error('there is no such secret store in force');
    const values = await hosted.slot.track(hosted.component.get(secret, {}));
    const value = values[key];
    if (!value) throw new Error(`it has no key ${key}, or an empty one`);
    return value;
  };

  /** Components stay as they are, and connected; only how they are called changes. @throws Error; then nothing has changed */
  applyPolicies(change: ConfigChange<ComponentResiliency>): void {
    this.#policies.apply(change);
    for (const [key, { hosted }] of this.#entries) this.#arm(key, hosted);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#retries.close();
    this.#secretWatch.close();
    for (const key of [...this.#entries.keys()]) await this.#put(key, undefined);
    await this.#retiring;
  }

  async #prepare(key: string, resource: Component): Promise<Prepared> {
    const content = contentOf(resource);
    const known = this.#entries.get(key);
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
      for (const [key, entry] of [...this.#entries]) {
        if (this.#closed || !takes(entry.resource) || !(await hasOtherSecrets(entry, this.#context()))) continue;
        entry.isStale = true;
        const result = await this.#prepare(key, entry.resource);
        if ((await this.#settle(result)) === undefined) {
          this.#retries.cancel(key);
          this.#options.deps.logger.info('component loaded again, its secrets have changed', { component: entry.resource.name });
        } else this.#tryAgainLater(result);
      }
    });
  }

  #followSecrets(): void {
    const named = [...this.#entries.values()].filter(({ resource }) => takesSecrets(resource));
    const stores = named.map(({ resource }) => this.#secrets.get(resource.secretStore)).filter((hosted) => hosted !== undefined);
    this.#secretWatch.follow(new Map(stores.map(({ name, slot }) => [name, slot.component])));
  }

  /** @returns why `hosted` may not come in force beside what is there, undefined when it may */
  #refusal(hosted: HostedComponent): string | undefined {
    if (!isActorStore(hosted)) return undefined;
    const missing = FOR_ACTORS.filter((capability) => !hosted.component.capabilities.includes(capability));
    if (missing.length > 0) return `actorStateStore needs ${missing.join(' and ')}, which ${hosted.spec.type} lacks`;
    const other = this.#actorStore;
    if (other && other.name !== hosted.name)
      return `actorStateStore is set on ${other.name} already; set it on one component only`;
    return undefined;
  }

  /** Brings `next` in force under `key`, undefined: nothing. The previous one closes in the background. */
  async #put(key: string, next: Entry | undefined): Promise<void> {
    const previous = this.#entries.get(key)?.hosted;
    if (next) {
      this.#arm(key, next.hosted);
      this.#entries.set(key, next);
    } else this.#entries.delete(key);
    this.#index();
    if (!this.#closed) this.#followSecrets();
    const subject = next?.hosted ?? previous;
    if (subject === undefined) return;
    const kind = next ? (previous ? 'replaced' : 'added') : 'removed';
    await this.#tell({ kind, block: subject.block, name: subject.name });
    if (next && subject.block === 'secrets')
      this.#retries.hurry((resource) => takesSecrets(resource) && resource.secretStore === subject.name);
    if (previous) this.#retiring = Promise.all([this.#retiring, previous.slot.retire(previous.name, this.#options.deps.logger)]);
  }

  #arm(key: string, hosted: HostedComponent): void {
    const { outbound, inbound } = this.#policies.of(key, { name: hosted.name, type: POLICY_TYPE[hosted.block] });
    const armed = hosted as { -readonly [K in keyof HostedComponent]: HostedComponent[K] };
    armed.inbound = inbound;
    armed.component = outbound ? resilient(hosted, outbound, undefined) : hosted.slot.component;
    armed.forCaller = outbound && ((caller) => resilient(hosted, outbound, caller));
  }

  #index(): void {
    this.#state.clear();
    this.#pubsub.clear();
    this.#secrets.clear();
    this.#actorStore = undefined;
    for (const { hosted } of this.#entries.values()) {
      if (isBlock(hosted, 'pubsub')) this.#pubsub.set(hosted.name, hosted);
      if (isBlock(hosted, 'secrets')) this.#secrets.set(hosted.name, hosted);
      if (isBlock(hosted, 'state')) this.#state.set(hosted.name, hosted);
      if (isActorStore(hosted)) this.#actorStore = hosted;
    }
  }

  async #tell(event: ComponentEvent): Promise<void> {
    const { logger } = this.#options.deps;
    const call = async (listener: ComponentListener) => listener(event);
    const calls = [...this.#listeners].map((listener) =>
      withDeadline(call(listener), LISTENER_LIMIT_MS, `${event.block} ${event.name}`).catch((error) =>
        logger.error('a component change was not taken up', { component: event.name, error: messageOf(error) }),
      ),
    );
    await Promise.all(calls);
  }
}

function resilient(hosted: HostedComponent, policy: Policy, caller: Caller | undefined): BlockComponents[Block] {
  const wanted = { signal: hosted.slot.retired, caller };
  if (isBlock(hosted, 'state')) return resilientStore(hosted.slot.component, policy, wanted);
  if (isBlock(hosted, 'secrets')) return resilientSecrets(hosted.slot.component, policy, wanted);
  if (isBlock(hosted, 'pubsub')) return resilientPubSub(hosted.slot.component, policy, wanted);
  return hosted.slot.component;
}

/** @returns whether a secret that the component was made with is another now; one that cannot be read now is none */
async function hasOtherSecrets({ resource, hosted }: Entry, context: SpecContext): Promise<boolean> {
  for (const item of resource.metadata) {
    if (item.from?.$case !== 'secretKeyRef') continue;
    const place = { what: `metadata ${item.name}`, secretStore: resource.secretStore };
    try {
      if ((await resolveItem(item, place, context)) !== hosted.spec.metadata.get(item.name.toLowerCase())) return true;
    } catch (error) {
      const fields = { component: resource.name, error: messageOf(error) };
      context.deps.logger.warn('a secret cannot be read any more; the component stays as it is', fields);
    }
  }
  return false;
}

/** What became of one resource: a new entry, nothing to do (neither), or a failure. */
interface Prepared {
  readonly key: string;
  readonly resource: Component;
  readonly entry?: Entry;
  readonly failure?: string;
}

/** Where a component stands in its file is not its content: moving it reconnects nothing. */
function contentOf(resource: Component): string {
  return Buffer.from(Component.encode({ ...resource, source: '' }).finish()).toString('base64');
}

function isBlock<B extends Block>(hosted: HostedComponent, block: B): hosted is HostedComponent<B> & HostedComponent {
  return hosted.block === block;
}

function isActorStore(hosted: HostedComponent): hosted is HostedComponent<'state'> & HostedComponent {
  return hosted.block === 'state' && isTruthy(hosted.spec.metadata.get('actorstatestore'));
}

function wantsActors({ entry }: Prepared): boolean {
  return entry !== undefined && isActorStore(entry.hosted);
}

function describe(hosted: HostedComponent): ComponentMetadata {
  const { name, spec, component } = hosted;
  const capabilities: string[] = [...component.capabilities];
  // Dapr lists what a store could do for actors, also when it is not the actor store (reference §1.8).
  if (hosted.block === 'state' && FOR_ACTORS.every((capability) => capabilities.includes(capability))) capabilities.push('ACTOR');
  return { name, type: spec.type, version: spec.version, capabilities };
}
