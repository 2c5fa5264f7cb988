import { createContext, Script } from 'node:vm';
import { Environment } from '@marcbachmann/cel-js';
import { messageOf } from '../../errors.js';

/** Routing rules: CEL over one variable `event`, the whole envelope (reference §2.3). */
export interface RouteRule {
  /** Empty: matches everything. */
  readonly match: string;
  readonly path: string;
}

export interface Router {
  /** True: `route` never looks at the event, so it need not be decoded. */
  readonly constant: boolean;
  /** @param event gives the decoded envelope; called at most once. @returns undefined: no rule matches */
  route(event: () => unknown): string | undefined;
}

export interface RouterLog {
  warn(message: string, fields?: Record<string, unknown>): void;
}

type Program = (event: unknown) => unknown;

/** Milliseconds for one rule and one event: what a rule does with a list or a pattern, the event's sender decides. */
const EVALUATION_LIMIT_MS = 50;
const LIMITS = { maxAstNodes: 2000, maxDepth: 60, maxListElements: 1000, maxMapEntries: 1000, maxCallArguments: 32 };

/**
 * Compiles rules once; they are tried in order. A rule that fails on an event or does not give a bool does not match, and says so in the log.
 * @throws Error that names the rule which is not CEL
 */
export function compileRoutes(rules: readonly RouteRule[], log: RouterLog): Router {
  const bound = boundedRunner();
  const compiled = rules.map((rule) => ({
    rule,
    program: rule.match.trim() === '' ? undefined : compile(rule.match, bound),
  }));
  const first = compiled[0];
  if (first && !first.program) return { constant: true, route: () => first.rule.path };
  return {
    constant: compiled.length === 0,
    route(event) {
      if (compiled.length === 0) return undefined;
      const decoded = event();
      return compiled.find(({ rule, program }) => !program || matches(rule, program, decoded, log))?.rule.path;
    },
  };
}

function matches(rule: RouteRule, program: Program, event: unknown, log: RouterLog): boolean {
  try {
    const result = program(event);
    if (typeof result === 'boolean') return result;
    log.warn('routing rule does not give true or false, taken as no match', { match: rule.match });
  } catch (error) {
    log.warn('routing rule failed on an event, taken as no match', { match: rule.match, error: firstLine(messageOf(error)) });
  }
  return false;
}

function compile(match: string, bound: (run: Program) => Program): Program {
  const environment = new Environment({ homogeneousAggregateLiterals: false, limits: LIMITS }).registerVariable('event', 'dyn');
  try {
    const program = environment.parse(match);
    const checked = program.check();
    if (!checked.valid) throw checked.error ?? new Error('type error');
    const run: Program = (event) => program({ event });
    return mayRunLong(match) ? bound(run) : run;
  } catch (error) {
    throw new Error(`rule '${match}' is not valid CEL: ${firstLine(messageOf(error))}`);
  }
}

/** Loops over lists can nest, and patterns can backtrack; all else takes time linear in the rule. */
function mayRunLong(match: string): boolean {
  return /\b(all|exists|exists_one|map|filter|matches)\b\s*\(/.test(match);
}

/** The VM's watchdog is the one thing in Node that can stop a regular expression or a loop under way. One context serves all rules of a router. */
function boundedRunner(): (run: Program) => Program {
  const sandbox: { run?: () => unknown } = {};
  let script: (() => unknown) | undefined;
  return (run) => (event) => {
    script ??= watched(sandbox);
    sandbox.run = () => run(event);
    try {
      return script();
    } finally {
      sandbox.run = undefined;
    }
  };
}

function watched(sandbox: object): () => unknown {
  const context = createContext(sandbox);
  const script = new Script('run()');
  return () => script.runInContext(context, { timeout: EVALUATION_LIMIT_MS });
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0] ?? '';
}
