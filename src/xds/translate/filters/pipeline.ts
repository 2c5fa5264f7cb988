import { ExtensionWithMatcher } from '../../../gen/envoy/extensions/common/matching/v3/extension_matcher.js';
import { HttpFilter } from '../../../gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.js';
import type { Any } from '../../../gen/google/protobuf/any.js';
import type { Matcher, Matcher_MatcherList_Predicate } from '../../../gen/xds/type/matcher/v3/matcher.js';
import { type Instance, isGrpcApp } from '../../../model/instance.js';
import { type BuiltStep, isBuilt, type Step } from '../../../model/middleware/pipeline.js';
import { LISTENERS } from '../../../model/names.js';
import { messageTypes, pack } from '../any.js';
import { extProcCluster } from '../cluster.js';
import { allOf, matches, not, regex } from '../matcher.js';
import { bearer } from './middleware/bearer.js';
import { clientCredentials } from './middleware/client-credentials.js';
import { closed } from './middleware/closed.js';
import { compressor } from './middleware/compressor.js';
import { extProc, moduleFailed } from './middleware/ext-proc.js';
import type { Applied } from './middleware/module.js';
import { oauth2 } from './middleware/oauth2.js';
import { rateLimit } from './middleware/rate-limit.js';
import { routerChecker } from './middleware/router-checker.js';
import type { FilterContext, FilterModule } from './module.js';

/**
 * The middleware of `spec.httpPipeline`, on the ports of the HTTP API, and of `spec.appHttpPipeline`, on whatever comes for an HTTP
 * app. gRPC has no pipelines, as in Dapr. Behind the API token and the access rules, which so never depend on any of it.
 */
export const pipelineFilter: FilterModule = {
  chain: (context) => places(context).map(({ applied, name }) => filter(name, applied, context)),
  replies(context) {
    const modules = modulesAt(context);
    const own = places(context).flatMap(({ applied }) => applied.replies ?? []);
    return modules.length > 0 ? [...own, moduleFailed(modules)] : own;
  },
  clusters(instance, settings) {
    const { http, app } = settings.pipelines;
    const steps = [...http, ...appSteps(instance, app)].filter(isBuilt);
    const called = steps.flatMap((step) => apply(step, step.handler.name, false).clusters ?? []);
    const withServer = steps.some(({ middleware }) => middleware.kind === 'ext-proc') && instance.sockets?.extProc;
    const all = withServer ? [...called, extProcCluster(instance.sockets.extProc)] : called;
    return [...new Map(all.map((cluster) => [cluster.name, cluster])).values()];
  },
};

/** @returns the names of the modules that calls pass on a listener */
export const modulesAt = (context: FilterContext): readonly string[] =>
  stepsAt(context).flatMap((step) => (isBuilt(step) && step.middleware.kind === 'ext-proc' ? [step.handler.name] : []));

const HTTP_API: ReadonlySet<string> = new Set([LISTENERS.apiHttp, LISTENERS.door]);

function places(context: FilterContext): readonly { readonly applied: Applied; readonly name: string }[] {
  const { listener } = context;
  const knowsClients = listener === LISTENERS.apiHttp || listener === LISTENERS.inbound;
  return stepsAt(context).flatMap((step, index) => {
    const name = `weft.middleware.${index}.${step.handler.name}`;
    if (isBuilt(step)) return [{ applied: apply(step, name, knowsClients), name }];
    return step.closed ? [{ applied: closed(step), name }] : [];
  });
}

function stepsAt({ instance, settings, direction, listener }: FilterContext): readonly Step[] {
  if (direction === 'inbound') return appSteps(instance, settings.pipelines.app);
  return HTTP_API.has(listener) ? settings.pipelines.http : [];
}

const appSteps = (instance: Instance, steps: readonly Step[]) => (isGrpcApp(instance) ? [] : steps);

function apply(step: BuiltStep, name: string, knowsClients: boolean): Applied {
  const place = { step, name, knowsClients };
  const { middleware } = step;
  switch (middleware.kind) {
    case 'rate-limit':
      return rateLimit({ ...place, middleware });
    case 'bearer':
      return bearer({ ...place, middleware });
    case 'oauth2':
      return oauth2({ ...place, middleware });
    case 'client-credentials':
      return clientCredentials({ ...place, middleware });
    case 'router-checker':
      return routerChecker({ ...place, middleware });
    case 'compressor':
      return compressor({ ...place, middleware });
    case 'ext-proc':
      return extProc({ ...place, middleware });
  }
}

/** Health checks of the API go by its pipeline: a limit or a token must not make a sidecar look unwell. */
function filter(name: string, { config, onlyPaths }: Applied, { direction }: FilterContext): HttpFilter {
  const skipped = [
    ...(direction === 'api' ? [isHealthCheck] : []),
    ...(onlyPaths === undefined ? [] : [not(matches(':path', regex(onlyPaths)))]),
  ];
  const typedConfig = skipped.length === 0 ? config : unless(skipped, name, config);
  return HttpFilter.fromPartial({ name, configType: { $case: 'typedConfig', value: typedConfig } });
}

function unless(skipped: readonly Matcher_MatcherList_Predicate[], name: string, config: Any): Any {
  const onMatch = {
    onMatch: { $case: 'action', value: { name: 'skip', typedConfig: pack(messageTypes.skipFilter, {}) } },
    keepMatching: false,
  } as const;
  const xdsMatcher = {
    matcherType: { $case: 'matcherList', value: { matchers: skipped.map((predicate) => ({ predicate, onMatch })) } },
    onNoMatch: undefined,
  } as Matcher;
  return pack(messageTypes.extensionWithMatcher, {
    ...ExtensionWithMatcher.fromPartial({ extensionConfig: { name, typedConfig: config } }),
    xdsMatcher,
  });
}

const isHealthCheck = allOf([
  matches(':method', { $case: 'exact', value: 'GET' }),
  matches(':path', regex('/v1\\.0/healthz(?:/outbound)?(?:\\?\\C*)?')),
]);
