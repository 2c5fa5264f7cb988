import { describe, expect, it } from 'vitest';
import { fullMatch, regexProblem } from '../../../../src/model/traffic/regex.js';

describe('an expression', () => {
  it.each([
    '/items/[0-9]+',
    '^/a.*$',
    '(?i)/a',
    '/(?P<name>[a-z]{1,100})',
    '/(?:a|b)*?',
    '[[:alpha:]]+',
    String.raw`/a\.b\d\w\S\bx\x41`,
    String.raw`\pL+`,
    '/[^/?]+',
    '/[a-]',
  ])('%s is taken', (regex) => {
    expect(regexProblem(regex)).toBeUndefined();
  });

  it.each([
    ['a(?=b)', '(?= is not known'],
    ['a(?!b)', '(?! is not known'],
    ['(?<!a)b', '(?< is not known'],
    [String.raw`(a)\1`, '\\1 is not known'],
    [String.raw`\u0041`, '\\u is not known'],
    [String.raw`\cA`, '\\c is not known'],
    ['a++', '++ is not known'],
    ['a(?i)b', 'a flag that is not at the beginning is not known'],
    ['[[:letter:]]', '[[:letter:] is not known'],
    ['(a', 'is no regular expression'],
    ['*', 'is no regular expression'],
    ['a{2000}b{3}', 'is too large'],
    ['(a{50}){50}{50}', 'is'],
    ['a{1001}', 'is too large'],
  ])('%s is refused before Envoy sees it', (regex, problem) => {
    expect(regexProblem(regex)).toContain(problem);
  });

  it('matches the whole text', () => {
    expect(fullMatch('/a|/b').test('/b')).toBe(true);
    expect(fullMatch('/a').test('/ab')).toBe(false);
    expect(fullMatch('(?i)/A').test('/a')).toBe(true);
  });
});
