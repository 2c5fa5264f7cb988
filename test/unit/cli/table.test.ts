import { describe, expect, it } from 'vitest';
import { ageText, renderTable } from '../../../src/cli/table.js';
import { createPaint, wantsColour } from '../../../src/cli/terminal.js';

describe('a table', () => {
  it('pads by what is seen, not by colour codes, and leaves no blanks at line ends', () => {
    const red = createPaint(true)('red', 'no');
    expect(
      renderTable([
        ['A', 'LONGER'],
        [red, 'x'],
        ['yes', ''],
      ]),
    ).toBe(`A    LONGER\n${red}   x\nyes`);
  });

  it('shows ages in their largest unit', () => {
    expect([0, 59_999, 60_000, 7_200_000, 200_000_000].map(ageText)).toEqual(['0s', '59s', '1m', '2h', '2d']);
  });
});

describe('colours', () => {
  it('come with a terminal, and bow to NO_COLOR before FORCE_COLOR', () => {
    expect(wantsColour({}, true)).toBe(true);
    expect(wantsColour({}, false)).toBe(false);
    expect(wantsColour({ NO_COLOR: '1', FORCE_COLOR: '1' }, true)).toBe(false);
    expect(wantsColour({ NO_COLOR: '' }, true)).toBe(true);
    expect(wantsColour({ FORCE_COLOR: '1' }, false)).toBe(true);
    expect(wantsColour({ TERM: 'dumb' }, true)).toBe(false);
  });
});
