import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const component = (name: string, type: string, metadata: string) =>
  `apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata:\n  name: ${name}\nspec:\n  type: ${type}\n  version: v1\n  metadata: ${metadata}\n`;

/** Writes the component files that Weft and daprd both get: everything in memory. @returns their directory */
export function writeResources(workDir: string): string {
  const dir = join(workDir, 'resources');
  mkdirSync(dir, { recursive: true });
  const documents = [
    component('statestore', 'state.in-memory', '[{ name: actorStateStore, value: "true" }]'),
    component('pubsub', 'pubsub.in-memory', '[]'),
  ];
  writeFileSync(join(dir, 'components.yaml'), documents.join('---\n'));
  return dir;
}
