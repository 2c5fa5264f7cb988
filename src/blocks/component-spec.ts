import { randomUUID } from 'node:crypto';
import { messageOf } from '../errors.js';
import type { Component, MetadataItem } from '../gen/weft/config/v1/config.js';
import type { ComponentDeps, ComponentSpec } from './component.js';
import { isReserved } from './component-environment.js';

/** Looks a secret up for a component; a secret store block supplies it. @throws Error when there is no such secret */
export type SecretResolver = (store: string, secret: string, key: string) => Promise<string>;

/** A spec, and which of its values nobody may see. */
export interface ResolvedSpec {
  readonly spec: ComponentSpec;
  readonly secrets: readonly string[];
}

export interface SpecContext {
  readonly deps: ComponentDeps;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly resolveSecret: SecretResolver;
}

/**
 * @returns the spec that a component factory gets: references resolved, placeholders filled in, metadata names in lower case
 * @throws Error that names the metadata item that cannot be resolved
 */
export async function resolveSpec(component: Component, context: SpecContext): Promise<ResolvedSpec> {
  const metadata = new Map<string, string>();
  const secrets: string[] = [];
  for (const item of component.metadata) {
    const name = item.name.toLowerCase();
    if (metadata.has(name)) throw new Error(`metadata ${item.name} stands there twice`);
    const value = await resolveItem(item, { what: `metadata ${item.name}`, secretStore: component.secretStore }, context);
    if (item.from?.$case === 'secretKeyRef') secrets.push(value);
    // A secret is not ours to read, so braces in it stay as they are.
    metadata.set(name, item.from?.$case === 'secretKeyRef' ? value : fill(value, context));
  }
  const { name, type, version, source } = component;
  return { spec: { name, type, version: version || 'v1', metadata, source }, secrets };
}

/** @returns `text` without the secrets: a component's error may quote what it was given */
export function withoutSecrets(text: string, secrets: readonly string[]): string {
  return secrets.reduce((left, secret) => (secret === '' ? left : left.replaceAll(secret, '(secret)')), text);
}

/** @returns whether a value asks for `{namespace}`, which also puts the namespace before topics (reference §2.3) */
export function usesNamespace(component: Component): boolean {
  return component.metadata.some(({ from }) => from?.$case === 'value' && from.value.includes('{namespace}'));
}

/** Whose item it is. */
interface ItemPlace {
  /** For messages: `metadata password`. */
  readonly what: string;
  /** '' : none is named. */
  readonly secretStore: string;
}

/** @returns the item's value, '' when it has none @throws Error that says which item cannot be resolved, and why */
export async function resolveItem(
  { from }: MetadataItem,
  { what, secretStore }: ItemPlace,
  { env, resolveSecret }: Pick<SpecContext, 'env' | 'resolveSecret'>,
): Promise<string> {
  if (from === undefined) return '';
  switch (from.$case) {
    case 'value':
      return from.value;
    case 'envRef':
      return environment(what, from.value, env);
    case 'secretKeyRef': {
      const { name, key } = from.value;
      const place = `${what} refers to secret ${name}`;
      if (secretStore === '') throw new Error(`${place}, but no store is named; add auth: { secretStore: <component> }`);
      try {
        return await resolveSecret(secretStore, name, key || name);
      } catch (error) {
        throw new Error(`${place} of store ${secretStore}: ${messageOf(error)}`);
      }
    }
  }
}

/** An environment may hold Dapr's own secrets, so these names are never handed to components (reference §4.1). */
function environment(what: string, name: string, env: SpecContext['env']): string {
  const allowed = env.DAPR_ENV_KEYS?.split(/[\s,]+/).filter(Boolean);
  if (isReserved(name) || (allowed && !allowed.includes(name)))
    throw new Error(`${what} may not refer to environment variable ${name}`);
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
