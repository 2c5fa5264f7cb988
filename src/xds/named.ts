import type { Resources } from './layered-map.js';
import type { Resource } from './resource.js';

/** @returns resources by name, sorted by it */
export const named = (resources: Iterable<Resource>): Resources =>
  new Map(
    [...resources].sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0)).map((resource) => [resource.name, resource]),
  );

/** @returns `before` itself when `after` holds nothing else: an unrelated change then changes no Map and no Resource object */
export function stable(before: Resources | undefined, after: Resources): Resources {
  if (!before || before.size !== after.size) return after;
  for (const [name, { version }] of after) if (before.get(name)?.version !== version) return after;
  return before;
}
