import { comparePatterns, type PathPattern, patternsOf } from './path-pattern.js';
import type { Action, AppKind } from './types.js';

export interface OperationSpec {
  /** A path; see path-pattern.ts for its wildcards. */
  readonly name: string;
  readonly httpVerb?: readonly string[];
  readonly action: Action;
}

/** What happens to calls of one path pattern. */
export interface Operation {
  readonly pattern: PathPattern;
  /** By verb, in upper case. */
  readonly verbs: ReadonlyMap<string, Action>;
  /** For verbs that are not in `verbs`; undefined: the caller's default action. */
  readonly anyVerb: Action | undefined;
}

/** @returns operations in the order in which they are asked: the most specific path first; of one path all verbs together */
export function operationsOf(specs: readonly OperationSpec[], kind: AppKind): readonly Operation[] {
  const byKey = new Map<string, { pattern: PathPattern; verbs: Map<string, Action>; anyVerb: Action | undefined }>();
  for (const spec of specs)
    for (const pattern of patternsOf(spec.name, kind)) {
      const known = byKey.get(pattern.key) ?? { pattern, verbs: new Map<string, Action>(), anyVerb: undefined };
      byKey.set(pattern.key, known);
      // Of two entries for one path and verb the first counts.
      const verbs = verbsOf(spec, kind);
      if (verbs === 'any') known.anyVerb ??= spec.action;
      else for (const verb of verbs) if (!known.verbs.has(verb)) known.verbs.set(verb, spec.action);
    }
  return [...byKey.values()].sort((a, b) => comparePatterns(a.pattern, b.pattern));
}

/** Calls of a gRPC app have no verb. A rule for no verb denies every one and allows none: what is not said must not open anything. */
function verbsOf({ httpVerb = [], action }: OperationSpec, kind: AppKind): readonly string[] | 'any' {
  if (kind === 'grpc' || httpVerb.includes('*') || (httpVerb.length === 0 && action === 'deny')) return 'any';
  return httpVerb.map((verb) => verb.toUpperCase());
}
