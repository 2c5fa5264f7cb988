import { randomUUID } from 'node:crypto';
import type { Component, MetadataItem } from '../gen/weft/config/v1/config.js';
import type { ComponentDeps, ComponentSpec } from './component.js';

/** Looks a secret up for a component; a secret store block supplies it. @throws Error when there is no such secret */
export type SecretResolver = (store: string, secret: string, key: string) => Promise<string>;

export interface SpecContext {
  readonly deps: ComponentDeps;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly resolveSecret?: SecretResolver | undefined;
}

/**
 * @returns the spec that a component factory gets: references resolved, placeholders filled in, metadata names in lower case
 * @throws Error that names the metadata item that cannot be resolved
 */
export async function resolveSpec(component: Component, context: SpecContext): Promise<ComponentSpec> {
  const metadata = new Map<string, string>();
  for (const item of component.metadata) {
    const name = item.name.toLowerCase();
    if (metadata.has(name)) throw new Error(`metadata ${item.name} stands there twice`);
    metadata.set(name, fill(await resolveItem(item, component, context), context));
  }
  return {
    name: component.name,
    type: component.type,
    version: component.version || 'v1',
    metadata,
    source: component.source,
  };
}

/** @returns whether a value asks for `{namespace}`, which also puts the namespace before topics (reference §2.3) */
export function usesNamespace(component: Component): boolean {
  return component.metadata.some(({ from }) => from?.$case === 'value' && from.value.includes('{namespace}'));
}

async function resolveItem(item: MetadataItem, component: Component, context: SpecContext): Promise<string> {
  const { from } = item;
  if (from === undefined) return '';
  switch (from.$case) {
    case 'value':
      return from.value;
    case 'envRef':
      return environment(item.name, from.value, context.env);
    case 'secretKeyRef': {
      const { name, key } = from.value;
      if (context.resolveSecret === undefined)
        throw new Error(
          `metadata ${item.name} refers to secret ${name}, but no secret store is there; give the value or an envRef`,
        );
      return context.resolveSecret(component.secretStore, name, key || name);
    }
  }
}

/** An environment may hold Dapr's own secrets, so these names are never handed to components (reference §4.1). */
function environment(item: string, name: string, env: SpecContext['env']): string {
  const refused = name === 'APP_API_TOKEN' || name.startsWith('DAPR_') || name.includes(' ');
  const allowed = env.DAPR_ENV_KEYS?.split(/[\s,]+/).filter(Boolean);
  if (refused || (allowed && !allowed.includes(name)))
    throw new Error(`metadata ${item} may not refer to environment variable ${name}`);
  return env[name] ?? '';
}

function fill(value: string, { deps, env }: SpecContext): string {
  if (!value.includes('{')) return value;
  return value
    .replaceAll('{uuid}', () => randomUUID())
    .replaceAll('{podName}', () => env.POD_NAME ?? deps.instanceId)
    .replaceAll('{namespace}', () => `${deps.namespace}.${deps.appId}`)
    .replaceAll('{appID}', () => deps.appId);
}
