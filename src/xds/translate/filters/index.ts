import type {
  HttpFilter,
  LocalReplyConfig,
} from '../../../gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.js';
import type { Instance } from '../../../model/instance.js';
import type { Resource } from '../../resource.js';
import type { AppSettings } from '../app-settings.js';
import { localReply } from '../local-reply.js';
import { isBehind } from '../traced-calls.js';
import { apiListFilter } from './api-lists.js';
import { corsFilter } from './cors.js';
import { externalFailures } from './external-failures.js';
import { apiTokenFilter, appTokenFilter } from './local-file.js';
import type { FilterContext, FilterModule } from './module.js';
import { pipelineFilter } from './pipeline.js';
import { rbacFilter } from './rbac.js';
import { routerFilter } from './router.js';
import { statefulSessionFilter } from './stateful-session.js';

/**
 * The HTTP filter chain, in the order that requests pass through it. Who may come in stands first: token, lists, access rules. Then what
 * people configure, which so sees nothing that is refused and on which no refusal depends; last what changes the call for the app.
 */
const filters: readonly FilterModule[] = [
  apiTokenFilter,
  apiListFilter,
  externalFailures,
  rbacFilter,
  // Before the pipeline: a preflight carries nothing that a middleware could let it pass for.
  corsFilter,
  pipelineFilter,
  appTokenFilter,
  statefulSessionFilter,
  routerFilter,
];

/**
 * Of a listener behind another one, which has let the call in: what depends on the app that is called. Filters are there whether or not a rule
 * asks for them: connections between the two outlast a change.
 */
const behind: readonly FilterModule[] = [externalFailures, corsFilter, statefulSessionFilter, routerFilter];
const filtersAt = ({ listener }: FilterContext) => (isBehind(listener) ? behind : filters);

/** @returns the filters of one listener */
export const filterChain = (context: FilterContext): HttpFilter[] =>
  filtersAt(context).flatMap((filter) => filter.chain(context) ?? []);

/** @returns how the answers that one listener makes itself are worded */
export function localReplies(context: FilterContext): LocalReplyConfig {
  // The first that fits counts: a filter far up the chain claims a status, one further down what it alone answers.
  const own = filtersAt(context)
    .toReversed()
    .flatMap((filter) => filter.replies?.(context) ?? []);
  return own.length === 0 ? localReply : { ...localReply, mappers: [...own, ...localReply.mappers] };
}

/** @returns the clusters that the filters of one instance call */
export const filterClusters = (instance: Instance, settings: AppSettings): readonly Resource[] =>
  filters.flatMap((filter) => filter.clusters?.(instance, settings) ?? []);
