import { expect, it } from 'vitest';
import type { Question } from '../../../../src/cli/run/questions.js';
import { settle } from '../../../../src/cli/run/settle.js';

/** A sidecar whose app is answering so many calls at each question; undefined: it does not answer. */
function sidecar(...calls: readonly (number | undefined)[]) {
  const asked: string[] = [];
  let at = 0;
  return {
    asked,
    async ask({ ask }: Question) {
      asked.push(ask);
      return ask === 'calls' ? calls[Math.min(at++, calls.length - 1)] : 0;
    },
  };
}

it('waits until no app has a call twice in a row, and takes the apps out of reach then', async () => {
  const [one, two] = [sidecar(1, 0), sidecar(0, 1, 0, 1, 0)];
  await settle([one, two]);
  expect(two.asked).toEqual(['calls', 'calls', 'calls', 'calls', 'calls', 'calls', 'release']);
  expect(one.asked).toEqual(two.asked);
});

it('does not wait for a sidecar that does not answer', async () => {
  const [silent, other] = [sidecar(undefined), sidecar(0)];
  await settle([silent, other]);
  expect(silent.asked).toEqual(['calls', 'calls']);
  expect(other.asked).toEqual(['calls', 'calls', 'release']);
});
