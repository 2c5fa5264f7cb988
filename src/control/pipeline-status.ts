import type { ConfigurationSpec } from '../model/configuration.js';
import { appKey } from '../model/instance.js';
import type { AppConfiguration, MeshModel } from '../model/mesh-model.js';
import { type PipelineSpec, pipelineProblems } from '../model/middleware/pipeline.js';

type Pipelines = Pick<ConfigurationSpec, 'httpPipeline' | 'appHttpPipeline'>;

/** Configurations are the same objects for as long as nobody changes them. */
const read = new WeakMap<AppConfiguration, Pipelines>();

function pipelinesOf(configuration: AppConfiguration): Pipelines {
  const known = read.get(configuration);
  if (known) return known;
  const { httpPipeline, appHttpPipeline } = JSON.parse(configuration.specJson || '{}') as Pipelines;
  const pipelines = { ...(httpPipeline ? { httpPipeline } : {}), ...(appHttpPipeline ? { appHttpPipeline } : {}) };
  read.set(configuration, pipelines);
  return pipelines;
}

/** @returns what is wrong with the pipelines of attached apps, each line once */
export function pipelineStatus(model: MeshModel): readonly string[] {
  const found = new Set<string>();
  for (const instance of model.instances) {
    const { httpPipeline, appHttpPipeline } = pipelinesOf(model.configurationFor(instance));
    const add = (field: string, spec: PipelineSpec | undefined) => {
      if (!spec?.handlers?.length) return;
      const { components } = model.resourcesFor(instance);
      for (const problem of pipelineProblems({ spec, components, local: instance.middleware }))
        found.add(`spec.${field} of ${appKey(instance)}: handler ${problem}`);
    };
    add('httpPipeline', httpPipeline);
    add('appHttpPipeline', appHttpPipeline);
    const isGrpc = instance.appProtocol === 'grpc' || instance.appProtocol === 'grpcs';
    if (isGrpc && appHttpPipeline?.handlers?.length)
      found.add(`spec.appHttpPipeline of ${appKey(instance)}: the app speaks gRPC, and pipelines are for HTTP; it has no effect`);
  }
  return [...found];
}
