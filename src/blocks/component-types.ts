import { nearest } from '../lib/suggest.js';
import type { ComponentFactory } from './component.js';
import type { HttpMiddleware } from './middleware/contract.js';
import type { PubSub } from './pubsub/contract.js';
import type { SecretStore } from './secrets/contract.js';
import type { StateStore } from './state/contract.js';

/** What each block's components implement. A new block adds one line here and one list entry a component. */
export interface BlockComponents {
  readonly state: StateStore;
  readonly pubsub: PubSub;
  readonly secrets: SecretStore;
  readonly middleware: HttpMiddleware;
}

export type Block = keyof BlockComponents;

/** One line of the component list: which block it serves, which spec versions it knows, and where its code is. */
export type ComponentType = {
  readonly [B in Block]: {
    readonly block: B;
    readonly versions: readonly string[];
    /** Loads the code on first use, so that an unused component costs neither start-up time nor memory. */
    readonly load: () => Promise<ComponentFactory<BlockComponents[B]>>;
  };
}[Block];

/** What the names of Dapr's default resiliency policies call a block's components (reference §4.4). */
export const POLICY_TYPE: Readonly<Record<Block, string>> = {
  state: 'Statestore',
  pubsub: 'Pubsub',
  secrets: 'Secretstore',
  middleware: 'Middleware',
};

/** By Dapr's type name, such as `state.sqlite`. */
export type ComponentTypes = Readonly<Record<string, ComponentType>>;

/** @returns the entry of `type` @throws Error that names the type and the nearest known one */
export function componentType(types: ComponentTypes, type: string, version: string): ComponentType {
  const entry = Object.hasOwn(types, type) ? types[type] : undefined;
  if (entry === undefined) throw new Error(`unknown type ${type}; ${suggestion(types, type)}`);
  if (!entry.versions.includes(version || 'v1'))
    throw new Error(`unknown version ${version} of ${type}; known: ${entry.versions.join(', ')}`);
  return entry;
}

function suggestion(types: ComponentTypes, type: string): string {
  const names = Object.keys(types).sort();
  const meant = nearest(type, names);
  return meant === undefined ? `known types: ${names.join(', ')}` : `did you mean ${meant}?`;
}
