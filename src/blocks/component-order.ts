import type { Component } from '../gen/weft/config/v1/config.js';

/** @returns whether some of the component's metadata is a secret of a store */
export function takesSecrets({ metadata }: Component): boolean {
  return metadata.some(({ from }) => from?.$case === 'secretKeyRef');
}

/** @returns `resources` in rounds: a component comes after the secret store that it takes secrets from. In a circle nobody is first */
export function loadRounds<T extends readonly [key: string, resource: Component]>(
  resources: readonly T[],
): readonly (readonly T[])[] {
  const rounds: (readonly T[])[] = [];
  let left = resources;
  while (left.length > 0) {
    const stores = new Set(left.filter(([, { type }]) => type.startsWith('secretstores.')).map(([, { name }]) => name));
    const free = left.filter(([, resource]) => !(takesSecrets(resource) && stores.has(resource.secretStore)));
    const round = free.length > 0 ? free : left;
    rounds.push(round);
    left = left.filter((item) => !round.includes(item));
  }
  return rounds;
}
