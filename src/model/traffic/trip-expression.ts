import { Environment } from '@marcbachmann/cel-js';
import { messageOf } from '../../errors.js';
import { consecutiveFailuresOf } from './trip.js';

/** What a circuit breaker has seen since it last started to count (reference §4.4). */
export interface BreakerCounts {
  readonly requests: number;
  readonly totalSuccesses: number;
  readonly totalFailures: number;
  readonly consecutiveSuccesses: number;
  readonly consecutiveFailures: number;
}

const NAMES = ['requests', 'totalSuccesses', 'totalFailures', 'consecutiveSuccesses', 'consecutiveFailures'] as const;

/** @returns whether the breaker opens at some counts @throws Error that says what is wrong with the expression */
export function compileTrip(expression: string): (counts: BreakerCounts) => boolean {
  const failures = consecutiveFailuresOf(expression);
  // The common one needs no interpreter. `==` would miss its count while it is half open.
  if (failures !== undefined) return ({ consecutiveFailures }) => consecutiveFailures >= failures;
  const environment = new Environment({ limits: { maxAstNodes: 500, maxDepth: 40 } });
  for (const name of NAMES) environment.registerVariable(name, 'int');
  let program: ReturnType<Environment['parse']>;
  try {
    program = environment.parse(expression);
    const { valid, type, error } = program.check();
    if (!valid) throw error ?? new Error('not CEL');
    if (String(type) !== 'bool' && String(type) !== 'dyn') throw new Error(`it gives ${type} in place of true or false`);
  } catch (error) {
    throw new Error(
      `trip ${JSON.stringify(expression)}: ${messageOf(error).split('\n', 1)[0]}; the counts are ${NAMES.join(', ')}`,
    );
  }
  return (counts) => {
    try {
      return program(Object.fromEntries(NAMES.map((name) => [name, BigInt(counts[name])]))) === true;
    } catch {
      // Such as a division by a count that is still 0.
      return false;
    }
  };
}
