import type { ConfigurationSpec } from '../../model/configuration.js';
import type { Instance } from '../../model/instance.js';
import type { MeshModel } from '../../model/mesh-model.js';
import type { MeshProfile } from '../../model/mesh-profile.js';

/** What decides, beside the instance itself, how its listeners look. */
export interface AppSettings {
  readonly profile: MeshProfile;
  /** The app's effective Configuration, and the text that it was read from. */
  readonly spec: ConfigurationSpec;
  readonly specJson: string;
}

/** @returns the settings of `instance`'s app; `before` itself while they are the same */
export function appSettings(model: MeshModel, instance: Instance, before?: AppSettings): AppSettings {
  const { profile } = model;
  const { specJson } = model.configurationFor(instance);
  if (before && before.profile === profile && before.specJson === specJson) return before;
  return { profile, specJson, spec: JSON.parse(specJson || '{}') as ConfigurationSpec };
}
