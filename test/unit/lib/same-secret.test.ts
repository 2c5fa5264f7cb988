import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { sameSecret } from '../../../src/lib/same-secret.js';

it.each([
  ['sesame', 'sesame', true],
  ['sesamE', 'sesame', false],
  ['sesame', 'sesame ', false],
  ['', 'sesame', false],
  ['é', 'é', true],
])('%j is the secret %j: %s', (given, expected, same) =>
  expect(sameSecret(Buffer.from(given), Buffer.from(expected))).toBe(same),
);

/** Every comparison of a token goes through the one function: what others would read like, in any file of ours. */
describe('elsewhere', () => {
  const root = resolve(import.meta.dirname, '../../../src');
  const files = readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts') && !file.startsWith('gen/') && file !== join('lib', 'same-secret.ts'))
    .map((file) => ({ file, lines: readFileSync(join(root, file), 'utf8').split('\n') }));
  const found = (pattern: RegExp) =>
    files.flatMap(({ file, lines }) => lines.filter((line) => pattern.test(line)).map((line) => `${file}: ${line.trim()}`));
  const SECRET = String.raw`\b[\w.]*(?:[tT]oken|[sS]ecret|[pP]assword|[mM]ac)\b`;
  // With a literal or with nothing is no comparison with what one has to know.
  const LITERAL = String.raw`(?:undefined\b|null\b|'|\d)`;
  const compared = new RegExp(`${SECRET} [!=]==? (?!${LITERAL})|(?<!${LITERAL}|typeof \\w+) [!=]==? ${SECRET}`);

  /** What the sidecar has read, before and now: nobody sent either. */
  const OWN =
    'blocks/external/endpoint-secrets.ts: a.size === b.size && [...a].every(([name, secret]) => b.get(name) === secret);';

  it('nobody compares secrets in another way', () => {
    expect(found(/timingSafeEqual/)).toEqual([]);
    expect(found(compared)).toEqual([OWN]);
  });

  it.each(['if (sentToken === expected)', 'return sent !== apiToken;', 'const same = token == wanted;', 'given === this.secret'])(
    'would find %j',
    (line) => expect(compared.test(line)).toBe(true),
  );
  it.each(["token === ''", 'secret !== undefined', 'const secret = a === b', 'resource.secretStore === store'])(
    'takes no offence at %j',
    (line) => expect(compared.test(line)).toBe(false),
  );
});
