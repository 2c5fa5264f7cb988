import { expect, it } from 'vitest';
import { baggageProblem } from '../../../../src/telemetry/tracing/baggage.js';

it.each(['a=b', 'a=b,c=d', 'a = b ; p ; q=1 , c=d%20e', 'a='])('%s is baggage', (text) =>
  expect(baggageProblem(text)).toBeUndefined(),
);
it.each(['', 'a', '=b', 'a=b,', 'a b=c', 'a="b"', 'ä=b', `a=${'b'.repeat(8192)}`, Array(181).fill('a=b').join()])(
  '%.20s… is none',
  (text) => expect(baggageProblem(text)).toBeTypeOf('string'),
);
