import { RBAC_Action, Action as RbacAction } from '../../gen/envoy/config/rbac/v3/rbac.js';
import type { Matcher, Matcher_MatcherList_FieldMatcher, Matcher_OnMatch } from '../../gen/xds/type/matcher/v3/matcher.js';
import type { StringMatcher } from '../../gen/xds/type/matcher/v3/string.js';
import { type DecisionName, decisionName } from '../../model/access/decision-name.js';
import type { Operation } from '../../model/access/operation.js';
import { NORMAL_PATH } from '../../model/access/path-pattern.js';
import type { AccessPolicy, CallerPolicy } from '../../model/access/policy.js';
import type { Action } from '../../model/access/types.js';
import { HEADERS } from '../../model/names.js';
import { extension, messageTypes, pack } from './any.js';
import { ask, headerInput } from './matcher.js';

/** Access policies as an xDS matcher: ordered decisions, the caller found by one look-up of its certificate's name. */

/** After the path; any bytes, since `.` would not match those that are no UTF-8. */
const QUERY = '(?:\\?\\C*)?';
const EVERYBODY: DecisionName = { scope: 'global', caller: undefined };

/**
 * @param identified whether every connection has a certificate of this mesh; without one there is only the default action
 * @returns what RBAC asks about calls from other sidecars; undefined: all are allowed
 */
export function inboundAccess(policy: AccessPolicy, identified: boolean): Matcher | undefined {
  if (!identified && policy.defaultAction === 'allow') return undefined;
  const everybodyElse = decided(policy.defaultAction, decisionName(EVERYBODY, 'default'));
  const byCaller = identified && policy.callers.size > 0 ? ask(callerTree(policy, everybodyElse)) : everybodyElse;
  // Turns of actors are no operations of the app (reference §4.3): no rule has ever covered them.
  return list([whenHeader(HEADERS.to, exact('actor'), decided('allow', 'actor'))], byCaller);
}

/**
 * What an app calls of itself is not checked, but for proxied gRPC: there Dapr asks for a certificate, which nobody has here.
 * @returns undefined: all is allowed
 */
export function selfAccess(policy: AccessPolicy): Matcher | undefined {
  if (policy.defaultAction === 'allow') return undefined;
  const grpc: Partial<StringMatcher> = { matchPattern: { $case: 'prefix', value: 'application/grpc' } };
  return list([whenHeader('content-type', grpc, decided('deny', decisionName(EVERYBODY, 'default')))], decided('allow', 'self'));
}

function callerTree({ callers }: AccessPolicy, otherwise: Matcher_OnMatch): Matcher {
  const entries = [...callers].sort(([a], [b]) => (a < b ? -1 : 1)).map(([id, caller]) => [id, callerMatch(caller)] as const);
  return {
    matcherType: {
      $case: 'matcherTree',
      value: {
        input: extension('envoy.matching.inputs.uri_san', messageTypes.uriSanInput, {}),
        treeType: { $case: 'exactMatchMap', value: { map: Object.fromEntries(entries) } },
      },
    },
    onNoMatch: otherwise,
  };
}

function callerMatch({ caller, ownDefault, defaultAction, operations }: CallerPolicy): Matcher_OnMatch {
  const name = (by: string) => decisionName({ scope: ownDefault ? 'app' : 'global', caller }, by);
  const otherwise = decided(defaultAction, name('default'));
  if (operations.length === 0) return otherwise;
  const notNormal = { ...whenHeader(':path', regex(`${NORMAL_PATH}${QUERY}`), decided('deny', name('path'))) };
  const rules = operations.map((operation) =>
    whenHeader(
      ':path',
      regex(`${operation.pattern.ignoreCase ? '(?i)' : ''}${operation.pattern.regex}${QUERY}`),
      verbMatch(operation, name('operation'), otherwise),
    ),
  );
  return ask(list([negated(notNormal), ...rules], otherwise));
}

function verbMatch({ verbs, anyVerb }: Operation, name: string, otherwise: Matcher_OnMatch): Matcher_OnMatch {
  const others = anyVerb === undefined ? otherwise : decided(anyVerb, name);
  if (verbs.size === 0) return others;
  const entries = [...verbs].sort(([a], [b]) => (a < b ? -1 : 1));
  // Some servers take `get` for GET.
  const matchers = entries.map(([verb, action]) =>
    whenHeader(':method', { ...exact(verb), ignoreCase: true }, decided(action, name)),
  );
  return ask(list(matchers, others));
}

const decided = (action: Action, name: string): Matcher_OnMatch => ({
  onMatch: {
    $case: 'action',
    value: {
      name: 'action',
      typedConfig: pack(
        messageTypes.rbacAction,
        RbacAction.fromPartial({ name, action: action === 'allow' ? RBAC_Action.ALLOW : RBAC_Action.DENY }),
      ),
    },
  },
});

const list = (matchers: Matcher_MatcherList_FieldMatcher[], onNoMatch: Matcher_OnMatch): Matcher => ({
  matcherType: { $case: 'matcherList', value: { matchers } },
  onNoMatch,
});

function whenHeader(header: string, value: Partial<StringMatcher>, onMatch: Matcher_OnMatch): Matcher_MatcherList_FieldMatcher {
  const matcher = { $case: 'valueMatch', value: { ignoreCase: false, ...value } as StringMatcher } as const;
  return { predicate: { matchType: { $case: 'singlePredicate', value: { input: headerInput(header), matcher } } }, onMatch };
}

const negated = ({ predicate, onMatch }: Matcher_MatcherList_FieldMatcher): Matcher_MatcherList_FieldMatcher => ({
  predicate: predicate && { matchType: { $case: 'notMatcher', value: predicate } },
  onMatch,
});

const exact = (value: string): Partial<StringMatcher> => ({ matchPattern: { $case: 'exact', value } });
const regex = (text: string): Partial<StringMatcher> => ({
  matchPattern: { $case: 'safeRegex', value: { engineType: { $case: 'googleRe2', value: {} }, regex: text } },
});
