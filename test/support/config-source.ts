import type { ConfigApply, ConfigKind, ConfigKinds, ConfigSource } from '../../src/blocks/config-source.js';
import { Component } from '../../src/gen/weft/config/v1/config.js';

/** A config source in memory: `push` is what an xDS response is to the real one. */
export interface FakeConfigSource extends ConfigSource {
  /** Resolves when the change is applied (ACK), rejects when it is refused (NACK). */
  push<K extends ConfigKind>(kind: K, updated: Record<string, ConfigKinds[K]>, removed?: readonly string[]): Promise<void>;
}

export function fakeConfigSource(): FakeConfigSource {
  const appliers = new Map<string, ConfigApply<never>>();
  return {
    on: (kind, apply) => void appliers.set(kind, apply as ConfigApply<never>),
    async push(kind, updated, removed = []) {
      const apply = appliers.get(kind) as ConfigApply<ConfigKinds[typeof kind]> | undefined;
      await apply?.({ updated: new Map(Object.entries(updated)), removed });
    },
  };
}

/** @returns a component resource with plain metadata values */
export function component(name: string, type: string, metadata: Record<string, string> = {}): Component {
  return Component.fromPartial({
    name,
    namespace: 'default',
    type,
    version: 'v1',
    metadata: Object.entries(metadata).map(([item, value]) => ({ name: item, from: { $case: 'value', value } })),
    source: 'resources/components.yaml',
  });
}
