import type { ConfigurationSpec } from '../../model/configuration.js';
import type { Instance } from '../../model/instance.js';
import type { MeshModel } from '../../model/mesh-model.js';
import type { MeshProfile } from '../../model/mesh-profile.js';
import { isMiddleware } from '../../model/middleware/kinds.js';
import { type PipelineSpec, pipelineSteps, type Step } from '../../model/middleware/pipeline.js';
import { usesCors, usesSessions } from '../../model/traffic/document.js';
import { tracesApart } from './traced-share.js';

/** What decides, beside the instance itself, how its listeners look. */
export interface AppSettings {
  readonly profile: MeshProfile;
  /** The app's effective Configuration. */
  readonly spec: ConfigurationSpec;
  /** Some rule keeps callers at their instances. */
  readonly sessions: boolean;
  /** Some rule is about web pages of other origins. */
  readonly cors: boolean;
  /** It may call services outside of the mesh. */
  readonly callsOut: boolean;
  /** The handlers of its pipelines, in their order. */
  readonly pipelines: { readonly http: readonly Step[]; readonly app: readonly Step[] };
  /** Its HTTP pipeline has, or had, handlers. */
  readonly hadPipeline: boolean;
  /** Its recorded calls go apart, or did. */
  readonly hadTracesApart: boolean;
  /** What all this was made of. */
  readonly inputs: readonly unknown[];
}

/** @returns the settings of `instance`'s app; `before` itself while they are the same */
export function appSettings(model: MeshModel, instance: Instance, before?: AppSettings): AppSettings {
  const { profile } = model;
  const { specJson } = model.configurationFor(instance);
  const { policies, components } = model.resourcesFor(instance);
  const sessions = usesSessions(policies);
  const cors = usesCors(policies);
  const callsOut = policies.some(({ kind }) => kind === 'HTTPEndpoint');
  const middleware = components.filter(({ type }) => isMiddleware(type));
  const local = middleware.length > 0 ? JSON.stringify(instance.middleware) : '';
  const inputs = [profile, specJson, sessions, cors, callsOut, local, ...middleware];
  if (before && sameItems(before.inputs, inputs)) return before;
  const spec = JSON.parse(specJson || '{}') as ConfigurationSpec;
  const steps = (which: 'http' | 'app', pipeline: PipelineSpec | undefined) =>
    pipelineSteps({ spec: pipeline, components: middleware, local: instance.middleware, before: before?.pipelines[which] });
  const pipelines = { http: steps('http', spec.httpPipeline), app: steps('app', spec.appHttpPipeline) };
  const hadPipeline = before?.hadPipeline || pipelines.http.length > 0;
  const made = { profile, spec, sessions, cors, callsOut, pipelines, hadPipeline, hadTracesApart: false, inputs };
  return { ...made, hadTracesApart: before?.hadTracesApart || tracesApart(instance, made) };
}

const sameItems = (a: readonly unknown[], b: readonly unknown[]) =>
  a.length === b.length && a.every((item, index) => item === b[index]);
