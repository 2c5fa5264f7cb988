import type { Resource } from './resource.js';

export type Resources = ReadonlyMap<string, Resource>;

/**
 * A few resources of one node laid over the many that all nodes share. A thousand nodes with a thousand shared resources are then a thousand
 * small maps and one big one, and whoever compares two snapshots can compare the layers: the same `base` object means the same content.
 */
export class LayeredMap implements ReadonlyMap<string, Resource> {
  readonly base: Resources;
  /** Wins over `base`. */
  readonly own: Resources;
  readonly size: number;

  constructor(base: Resources, own: Resources) {
    this.base = base;
    this.own = own;
    let size = base.size;
    for (const name of own.keys()) if (!base.has(name)) size += 1;
    this.size = size;
  }

  get(name: string): Resource | undefined {
    return this.own.get(name) ?? this.base.get(name);
  }

  has(name: string): boolean {
    return this.own.has(name) || this.base.has(name);
  }

  *entries(): MapIterator<[string, Resource]> {
    for (const entry of this.base) if (!this.own.has(entry[0])) yield entry;
    yield* this.own;
  }

  *keys(): MapIterator<string> {
    for (const [name] of this.entries()) yield name;
  }

  *values(): MapIterator<Resource> {
    for (const [, resource] of this.entries()) yield resource;
  }

  [Symbol.iterator](): MapIterator<[string, Resource]> {
    return this.entries();
  }

  forEach(visit: (value: Resource, key: string, map: Resources) => void): void {
    for (const [name, resource] of this.entries()) visit(resource, name, this);
  }
}
