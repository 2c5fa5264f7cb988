import type { ConfigurationSpec } from '../../model/configuration.js';
import type { Instance } from '../../model/instance.js';
import type { Component, MeshModel } from '../../model/mesh-model.js';
import type { MeshProfile } from '../../model/mesh-profile.js';
import { usesSessions } from '../../model/traffic/document.js';

/** What decides, beside the instance itself, how its listeners look. */
export interface AppSettings {
  readonly profile: MeshProfile;
  /** The app's effective Configuration. */
  readonly spec: ConfigurationSpec;
  /** Some rule keeps callers at their instances. */
  readonly sessions: boolean;
  /** It may call services outside of the mesh. */
  readonly callsOut: boolean;
  /** Components that its pipelines may name. */
  readonly middleware: readonly Component[];
  /** What all this was made of. */
  readonly inputs: readonly unknown[];
}

/** @returns the settings of `instance`'s app; `before` itself while they are the same */
export function appSettings(model: MeshModel, instance: Instance, before?: AppSettings): AppSettings {
  const { profile } = model;
  const { specJson } = model.configurationFor(instance);
  const { policies, components } = model.resourcesFor(instance);
  const sessions = usesSessions(policies);
  const callsOut = policies.some(({ kind }) => kind === 'HTTPEndpoint');
  const middleware = components.filter(({ type }) => type.startsWith('middleware.http.'));
  const inputs = [profile, specJson, sessions, callsOut, ...middleware];
  if (before && sameItems(before.inputs, inputs)) return before;
  const spec = JSON.parse(specJson || '{}') as ConfigurationSpec;
  return { profile, spec, sessions, callsOut, middleware, inputs };
}

const sameItems = (a: readonly unknown[], b: readonly unknown[]) =>
  a.length === b.length && a.every((item, index) => item === b[index]);
