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
    '[]a]}',
    'a{,3}',
    String.raw`\A/\-\_[\w.-]+\z`,
    String.raw`[^\p{Lu}[:digit:]]`,
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
    ['a++', 'is no regular expression'],
    [String.raw`[a-\d]`, 'is no regular expression'],
    ['[a--b]', 'is no regular expression'],
    [String.raw`\pX`, '\\p is not known'],
    [String.raw`[\z]`, '\\z is not known'],
    [String.raw`[\b]`, '\\b is not known'],
    ['a(?i)b', 'a flag that is not at the beginning is not known'],
    ['[[:letter:]]', '[:letter:] is not known'],
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
    expect(fullMatch('[[:alpha:]]+}').test('ab}')).toBe(true);
    expect(fullMatch('(?i)/A').test('/a')).toBe(true);
  });
});
