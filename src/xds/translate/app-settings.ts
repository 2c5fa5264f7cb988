import type { ConfigurationSpec } from '../../model/configuration.js';
import type { Instance } from '../../model/instance.js';
import type { MeshModel } from '../../model/mesh-model.js';
import type { MeshProfile } from '../../model/mesh-profile.js';
import { usesSessions } from '../../model/traffic/document.js';

/** What decides, beside the instance itself, how its listeners look. */
export interface AppSettings {
  readonly profile: MeshProfile;
  /** The app's effective Configuration, and the text that it was read from. */
  readonly spec: ConfigurationSpec;
  readonly specJson: string;
  /** Some rule keeps callers at their instances. */
  readonly sessions: boolean;
}

/** @returns the settings of `instance`'s app; `before` itself while they are the same */
export function appSettings(model: MeshModel, instance: Instance, before?: AppSettings): AppSettings {
  const { profile } = model;
  const { specJson } = model.configurationFor(instance);
  const sessions = usesSessions(model.resourcesFor(instance).policies);
  if (before && before.profile === profile && before.specJson === specJson && before.sessions === sessions) return before;
  return { profile, specJson, sessions, spec: JSON.parse(specJson || '{}') as ConfigurationSpec };
}
