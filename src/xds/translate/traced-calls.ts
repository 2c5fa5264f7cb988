import type { RouteConfiguration } from '../../gen/envoy/config/route/v3/route.js';
import { type HeaderMatcher, Route, RouteMatch } from '../../gen/envoy/config/route/v3/route_components.js';
import { RuntimeFraction } from '../../gen/envoy/extensions/matching/input_matchers/runtime_fraction/v3/runtime_fraction.js';
import { FractionalPercent_DenominatorType } from '../../gen/envoy/type/v3/percent.js';
import type { Matcher, Matcher_MatcherList_Predicate } from '../../gen/xds/type/matcher/v3/matcher.js';
import { type Instance, isGrpcApp } from '../../model/instance.js';
import { HEADERS, LISTENERS, TRACED_CLUSTER, TRACED_INBOUND_CLUSTER } from '../../model/names.js';
import type { Resource } from '../resource.js';
import { extension, messageTypes, pack } from './any.js';
import type { AppSettings } from './app-settings.js';
import { ownListenerCluster } from './cluster.js';
import { SEEN_BEFORE, STARTED_HERE } from './early-headers.js';
import { act, allOf, anyOf, ask, headerInput, matches, not } from './matcher.js';
import { connectionRetry } from './retry.js';
import { NO_TIMEOUT } from './route-target.js';
import { tracedShare, tracesApart } from './traced-share.js';
import { overwrite } from './values.js';

/**
 * Recorded calls go apart. Envoy's tracer makes a span's frame for each call, recorded or not, and that is an eighth of what a call costs.
 * So where few traces are recorded (Dapr's default is one of 10,000) the listeners have no tracer, and a call that is to be recorded goes
 * on to a listener of the same Envoy that has one: what comes with a `traceparent` that says so, and the configured share of what comes
 * with none.
 */

const MILLION = 1_000_000;
const TRACED: ReadonlySet<string> = new Set([LISTENERS.traced, LISTENERS.tracedInbound]);

/** @returns whether a listener takes only what another listener of the same Envoy has let in */
export const isBehind = (listener: string): boolean => TRACED.has(listener);

/** @returns the share of the traces starting at one listener that its tracer records; 0: it has none */
export function shareAt(listener: string, instance: Instance, settings: AppSettings): number {
  const share = tracedShare(instance, settings);
  if (isBehind(listener)) return Math.ceil(share);
  return tracesApart(instance, settings) ? 0 : share;
}

/** @returns the clusters of the listeners that recorded calls go on to, when they go apart or did */
export function tracedClusters(instance: Instance, settings: AppSettings): readonly Resource[] {
  const { sockets, appPort } = instance;
  if (!sockets || !settings.hadTracesApart) return [];
  const outbound = ownListenerCluster(TRACED_CLUSTER, sockets.traced, 'as it came');
  return appPort > 0
    ? [outbound, ownListenerCluster(TRACED_INBOUND_CLUSTER, sockets.tracedInbound, 'as between sidecars')]
    : [outbound];
}

/** The bit of the flags that says so; the other one in use says that the trace id is random (W3C Trace Context 2, §3.2.2.5). */
const RECORDED = ['1', '3'];

/** Makes `table`, which routes the app's calls, send those that are to be recorded apart. */
export function sendApart(table: RouteConfiguration, share: number): void {
  const onTheWay = matches(HEADERS.traced, { $case: 'exact', value: 'yes' });
  const byCaller = anyOf(RECORDED.map((value) => matches('traceparent', { $case: 'suffix', value })));
  const startsHere = matches('traceparent', { $case: 'suffix', value: `${STARTED_HERE}-00` });
  for (const host of table.virtualHosts) {
    if (!host.matcher) continue;
    host.matcher = whenEither(
      [
        [allOf([byCaller, not(onTheWay)]), apart([])],
        // The tracer starts the trace anew, so that its first span has no parent.
        [allOf([startsHere, drawn(share)]), apart(['traceparent'])],
      ],
      host.matcher,
    );
    // Before what the route says, which sets it: only the second passage takes it away.
    host.requestHeadersToRemove = [HEADERS.traced];
  }
  table.mostSpecificHeaderMutationsWins = true;
}

type Case = readonly [Matcher_MatcherList_Predicate, Route];

const whenEither = (cases: readonly Case[], otherwise: Matcher): Matcher => ({
  matcherType: {
    $case: 'matcherList',
    value: { matchers: cases.map(([predicate, route]) => ({ predicate, onMatch: act(pack(messageTypes.route, route)) })) },
  },
  onNoMatch: ask(otherwise),
});

const all = { pathSpecifier: { $case: 'prefix', value: '/' } } as const;
const to = (cluster: string) => ({
  $case: 'route' as const,
  // The listener may be just coming. Whatever else a call needs, it has where it goes on.
  value: {
    clusterSpecifier: { $case: 'cluster' as const, value: cluster },
    timeout: NO_TIMEOUT,
    retryPolicy: connectionRetry,
  },
});

const apart = (requestHeadersToRemove: string[]): Route =>
  Route.fromPartial({
    match: all,
    action: to(TRACED_CLUSTER),
    requestHeadersToAdd: [overwrite(HEADERS.traced, 'yes')],
    requestHeadersToRemove,
  });

const percent = (share: number) => ({
  defaultValue: { numerator: Math.round(share * MILLION), denominator: FractionalPercent_DenominatorType.MILLION },
  runtimeKey: '',
});

/** By the hash of the trace's ids: whoever hands on what started here gets the same decision. */
const drawn = (share: number): Matcher_MatcherList_Predicate => ({
  matchType: {
    $case: 'singlePredicate',
    value: {
      input: headerInput('traceparent'),
      matcher: {
        $case: 'customMatch',
        value: extension(
          'envoy.matching.matchers.runtime_fraction',
          messageTypes.runtimeFraction,
          RuntimeFraction.fromPartial({ runtimeFraction: percent(share) }),
        ),
      },
    },
  },
});

type Specifier = HeaderMatcher['headerMatchSpecifier'];
const header = (headerMatchSpecifier: Specifier, invertMatch = false): HeaderMatcher => ({
  name: 'traceparent',
  headerMatchSpecifier,
  invertMatch,
  treatMissingHeaderAsEmpty: false,
});
const endsWith = (value: string): Specifier => ({
  $case: 'stringMatch',
  value: { matchPattern: { $case: 'suffix', value }, ignoreCase: false },
});

/** @returns what stands before the routes of calls that arrive: those that are to be recorded go apart */
export function arrivingApart(instance: Instance, settings: AppSettings): readonly Route[] {
  if (!tracesApart(instance, settings)) return [];
  const route = (match: Partial<RouteMatch>) =>
    Route.fromPartial({
      match: RouteMatch.fromPartial({ ...all, ...match }),
      action: to(TRACED_INBOUND_CLUSTER),
      // The next listener sees only this Envoy. For an HTTP app it has been told before any route.
      requestHeadersToAdd: isGrpcApp(instance) ? [...SEEN_BEFORE] : [],
    });
  return [
    ...RECORDED.map((flag) => route({ headers: [header(endsWith(flag))] })),
    // From callers that have no tracing.
    route({
      headers: [header({ $case: 'presentMatch', value: true }, true)],
      runtimeFraction: percent(tracedShare(instance, settings)),
    }),
  ];
}
