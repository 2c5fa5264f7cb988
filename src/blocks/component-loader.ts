import { messageOf } from '../errors.js';
import type { Component } from '../gen/weft/config/v1/config.js';
import { withDeadline } from '../lib/async.js';
import { componentVersion } from '../model/middleware/pipeline.js';
import type { Callable } from './caller.js';
import type { ComponentFactory, ComponentSpec, LoadedComponent } from './component.js';
import { ComponentSlot } from './component-slot.js';
import { resolveSpec, type SpecContext, usesNamespace, withoutSecrets } from './component-spec.js';
import { type Block, type BlockComponents, type ComponentType, type ComponentTypes, componentType } from './component-types.js';
import type { Policy } from './resiliency/policy.js';
import { keyPrefix } from './state/keys.js';

/** A component in force. The object changes when its component is replaced: look it up for each use. */
export interface HostedComponent<B extends Block = Block> {
  readonly block: B;
  readonly name: string;
  readonly spec: ComponentSpec;
  /** Of the resource that it was made from: what the control plane knows it by. */
  readonly contentVersion: string;
  /** Under the component's outbound policy, if there is one; changes with it, so look it up for each use. */
  readonly component: BlockComponents[B];
  /** See {@link Callable}. */
  readonly forCaller?: Callable<BlockComponents[B]>['forCaller'];
  /** What the app is given runs under this policy. Changes as `component` does. */
  readonly inbound?: Policy | undefined;
  readonly slot: ComponentSlot<BlockComponents[B]>;
  /** A metadata value asked for `{namespace}`: topics get the namespace as prefix (reference §2.3). */
  readonly namespaced: boolean;
}

const DEFAULT_INIT_TIMEOUT_MS = 5_000;

/** @returns the ready component @throws Error without the component's name when it cannot be made within its initTimeout */
export async function loadComponent(resource: Component, types: ComponentTypes, context: SpecContext): Promise<HostedComponent> {
  const type = componentType(types, resource.type, resource.version);
  const making = make(resource, type, context);
  try {
    const { spec, component } = await withDeadline(making, resource.initTimeoutMs || DEFAULT_INIT_TIMEOUT_MS, 'initTimeout');
    return {
      block: type.block,
      name: resource.name,
      spec,
      contentVersion: componentVersion(resource),
      component: component as BlockComponents[Block],
      slot: new ComponentSlot(component as BlockComponents[Block]),
      namespaced: usesNamespace(resource),
    };
  } catch (error) {
    // One that comes too late is of no use any more, and must not stay connected.
    making.then(({ component }) => component.close()).catch(() => {});
    throw error;
  }
}

async function make(
  resource: Component,
  { block, load }: ComponentType,
  context: SpecContext,
): Promise<{ spec: ComponentSpec; component: LoadedComponent }> {
  const { spec, secrets } = await resolveSpec(resource, context);
  if (block === 'state') keyPrefix(spec, context.deps);
  const factory: ComponentFactory<LoadedComponent> = await load();
  const logger = context.deps.logger.child({ component: resource.name });
  try {
    return { spec, component: await factory(spec, { ...context.deps, logger }) };
  } catch (error) {
    throw secrets.length === 0 ? error : new Error(withoutSecrets(messageOf(error), secrets));
  }
}
