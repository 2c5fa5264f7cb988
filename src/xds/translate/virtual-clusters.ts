import { type HeaderMatcher, VirtualCluster } from '../../gen/envoy/config/route/v3/route_components.js';
import { type PathTemplate, withInvocations } from '../../model/metrics/path-template.js';
import { metricsSettings, type WithMetrics } from '../../model/metrics/spec.js';
import { virtualClusterName } from '../../model/metrics/virtual-cluster.js';
import type { Direction } from './filters/module.js';

/** `metrics.http.pathMatching` for calls by name: Envoy counts what it routes by virtual clusters, and so knows the paths that people name. */

const VERBS = ['GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'HEAD', 'OPTIONS'];
const QUERY = '(?:\\?.*)?';
/** Of the API's own paths; the filter service counts those itself. */
const isApi = ({ text }: PathTemplate) => /^\/v1\.0(-\w+)?\/(?!invoke\/)/.test(text);

/** @returns one virtual cluster for each verb and path; the first that fits counts. None, unless somebody asks for them */
export function virtualClusters(spec: WithMetrics, direction: Direction): VirtualCluster[] {
  const { enabled, paths, excludeVerbs } = metricsSettings(spec);
  if (!enabled || paths.length === 0) return [];
  const wanted = direction === 'api' ? withInvocations(paths).filter((path) => !isApi(path)) : paths;
  const verbs = excludeVerbs ? [''] : VERBS;
  return wanted.flatMap(({ text, regex }) =>
    verbs.map((method) => {
      const path = matcher(':path', {
        $case: 'safeRegex',
        value: { engineType: { $case: 'googleRe2', value: {} }, regex: `${regex}${QUERY}` },
      });
      // The verb first: a look at it costs less than the expression.
      const headers = method === '' ? [path] : [matcher(':method', { $case: 'exact', value: method }), path];
      return { ...VirtualCluster.fromPartial({ name: virtualClusterName({ method, path: text }) }), headers };
    }),
  );
}

type Pattern = NonNullable<Extract<HeaderMatcher['headerMatchSpecifier'], { $case: 'stringMatch' }>['value']['matchPattern']>;

const matcher = (name: string, matchPattern: Pattern): HeaderMatcher => ({
  name,
  headerMatchSpecifier: { $case: 'stringMatch', value: { matchPattern, ignoreCase: false } },
  invertMatch: false,
  treatMissingHeaderAsEmpty: false,
});
