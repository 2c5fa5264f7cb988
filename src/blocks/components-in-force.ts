import { Component, type ComponentResiliency } from '../gen/weft/config/v1/config.js';
import { isTruthy } from '../lib/duration.js';
import type { Caller } from './caller.js';
import type { HostedComponent } from './component-loader.js';
import { type Block, type BlockComponents, POLICY_TYPE } from './component-types.js';
import type { ConfigChange } from './config-source.js';
import type { ComponentPolicies } from './resiliency/component-policies.js';
import { resilientPubSub, resilientSecrets, resilientStore } from './resiliency/components.js';
import type { Policy } from './resiliency/policy.js';

/** What is in force under one resource name. */
export interface Entry {
  readonly content: string;
  readonly resource: Component;
  /** Its secrets are others now, and it could not be made with them yet. */
  isStale?: boolean;
  readonly hosted: HostedComponent;
}

export interface ComponentMetadata {
  readonly name: string;
  readonly type: string;
  readonly version: string;
  readonly capabilities: readonly string[];
}

const FOR_ACTORS = ['ETAG', 'TRANSACTIONAL'] as const;

/** The components that are in force, found by block and name, each behind its resiliency policy. */
export class ComponentsInForce {
  readonly #policies: ComponentPolicies;
  readonly #entries = new Map<string, Entry>();
  readonly #state = new Map<string, HostedComponent<'state'>>();
  readonly #pubsub = new Map<string, HostedComponent<'pubsub'>>();
  readonly #secrets = new Map<string, HostedComponent<'secrets'>>();
  #actorStore: HostedComponent<'state'> | undefined;

  constructor(policies: ComponentPolicies) {
    this.#policies = policies;
  }

  readonly state = (name: string) => this.#state.get(name);
  readonly pubsub = (name: string) => this.#pubsub.get(name);
  readonly secrets = (name: string) => this.#secrets.get(name);
  readonly actorStateStore = () => this.#actorStore;
  readonly entries = (): readonly (readonly [key: string, entry: Entry])[] => [...this.#entries];
  readonly get = (key: string) => this.#entries.get(key);

  all<B extends Block>(block: B): readonly HostedComponent<B>[] {
    return this.#all().filter((hosted) => hosted.block === block) as unknown as HostedComponent<B>[];
  }

  /** For the metadata API, in name order. */
  list(): readonly ComponentMetadata[] {
    return this.#all()
      .map(describe)
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** Brings `next` in force under `key`, undefined: nothing. @returns what was in force until now */
  put(key: string, next: Entry | undefined): HostedComponent | undefined {
    const previous = this.#entries.get(key)?.hosted;
    if (next) {
      this.#arm(key, next.hosted);
      this.#entries.set(key, next);
    } else this.#entries.delete(key);
    this.#index();
    return previous;
  }

  /** Components stay as they are, and connected; only how they are called changes. @throws Error; then nothing has changed */
  applyPolicies(change: ConfigChange<ComponentResiliency>): void {
    this.#policies.apply(change);
    for (const [key, { hosted }] of this.#entries) this.#arm(key, hosted);
  }

  /** @returns why `hosted` may not come in force beside what is there, undefined when it may */
  refusal(hosted: HostedComponent): string | undefined {
    if (!isActorStore(hosted)) return undefined;
    const missing = FOR_ACTORS.filter((capability) => !hosted.component.capabilities.includes(capability));
    if (missing.length > 0) return `actorStateStore needs ${missing.join(' and ')}, which ${hosted.spec.type} lacks`;
    const other = this.#actorStore;
    if (other && other.name !== hosted.name)
      return `actorStateStore is set on ${other.name} already; set it on one component only`;
    return undefined;
  }

  #all(): readonly HostedComponent[] {
    return [...this.#entries.values()].map(({ hosted }) => hosted);
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
    for (const hosted of this.#all()) {
      if (isBlock(hosted, 'pubsub')) this.#pubsub.set(hosted.name, hosted);
      if (isBlock(hosted, 'secrets')) this.#secrets.set(hosted.name, hosted);
      if (isBlock(hosted, 'state')) this.#state.set(hosted.name, hosted);
      if (isActorStore(hosted)) this.#actorStore = hosted;
    }
  }
}

function resilient(hosted: HostedComponent, policy: Policy, caller: Caller | undefined): BlockComponents[Block] {
  const wanted = { signal: hosted.slot.retired, caller };
  if (isBlock(hosted, 'state')) return resilientStore(hosted.slot.component, policy, wanted);
  if (isBlock(hosted, 'secrets')) return resilientSecrets(hosted.slot.component, policy, wanted);
  if (isBlock(hosted, 'pubsub')) return resilientPubSub(hosted.slot.component, policy, wanted);
  return hosted.slot.component;
}

/** Where a component stands in its file is not its content: moving it reconnects nothing. */
export function contentOf(resource: Component): string {
  return Buffer.from(Component.encode({ ...resource, source: '' }).finish()).toString('base64');
}

function isBlock<B extends Block>(hosted: HostedComponent, block: B): hosted is HostedComponent<B> & HostedComponent {
  return hosted.block === block;
}

export function isActorStore(hosted: HostedComponent): hosted is HostedComponent<'state'> & HostedComponent {
  return hosted.block === 'state' && isTruthy(hosted.spec.metadata.get('actorstatestore'));
}

function describe(hosted: HostedComponent): ComponentMetadata {
  const { name, spec, component } = hosted;
  const capabilities: string[] = [...component.capabilities];
  // Dapr lists what a store could do for actors, also when it is not the actor store (reference §1.8).
  if (hosted.block === 'state' && FOR_ACTORS.every((capability) => capabilities.includes(capability))) capabilities.push('ACTOR');
  return { name, type: spec.type, version: spec.version, capabilities };
}
