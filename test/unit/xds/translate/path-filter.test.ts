import { describe, expect, it } from 'vitest';
import { anywhere, inPath } from '../../../../src/xds/translate/filters/middleware/path-filter.js';

/** As RE2 matches the whole of a text; `(?s:` is of no matter to these texts. */
const matches = (regex: string, text: string) => new RegExp(`^(?:${regex.replaceAll('(?s:', '(?:')})$`).test(text);

describe('an expression for a part of a text', () => {
  it.each([
    ['^/a', '/a/b', true],
    ['^/a', '/b/a', false],
    ['b$', '/a/b', true],
    ['b|c', '/c', true],
  ])('%s in %s: %s', (regex, text, found) => {
    expect(matches(anywhere(regex), text)).toBe(found);
  });
});

describe('an expression for a path', () => {
  it.each([
    ['/secret$', '/method/secret', true],
    ['/secret$', '/method/secret?', true],
    ['/secret$', '/method/secret?a=b', true],
    ['/secret$', '/method/secret/more', false],
    ['/secret\\z', '/method/secret?a=b', true],
    ['[$]x', '/$x', true],
    ['\\$x$', '/$x?y', true],
  ])('%s in %s: %s', (regex, text, found) => {
    expect(matches(inPath(regex), text)).toBe(found);
  });
});
