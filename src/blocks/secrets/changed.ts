import { messageOf } from '../../errors.js';
import type { Component } from '../../gen/weft/config/v1/config.js';
import type { ComponentSpec } from '../component.js';
import { resolveItem, type SpecContext } from '../component-spec.js';

/**
 * @param resource A component as it is configured.
 * @param spec What it was made with.
 * @returns whether one of its secrets is another now; one that cannot be read now is none
 */
export async function hasOtherSecrets(resource: Component, spec: ComponentSpec, context: SpecContext): Promise<boolean> {
  for (const item of resource.metadata) {
    if (item.from?.$case !== 'secretKeyRef') continue;
    const place = { what: `metadata ${item.name}`, secretStore: resource.secretStore };
    try {
      if ((await resolveItem(item, place, context)) !== spec.metadata.get(item.name.toLowerCase())) return true;
    } catch (error) {
      const fields = { component: resource.name, error: messageOf(error) };
      context.deps.logger.warn('a secret cannot be read any more; the component stays as it is', fields);
    }
  }
  return false;
}
