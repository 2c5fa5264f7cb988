import { describe, expect, it } from 'vitest';
import { parseOptions } from '../../../bench/options.js';

describe('the benchmark’s flags', () => {
  it('choose rows and subjects, in the order given', () => {
    const { rows, subjects } = parseOptions(['--only', 'state-get,invoke-http', '--subjects', 'daprd, direct']);
    expect(rows.map(({ name }) => name)).toEqual(['state-get', 'invoke-http']);
    expect(subjects).toEqual(['daprd', 'direct']);
  });

  it.each([
    [['--only', 'invoke'], /--only: there is no "invoke", choose from invoke-http,/],
    [['--subjects', 'linkerd'], /--subjects: there is no "linkerd", choose from direct,/],
    [['--rounds', '0'], /--rounds: "0" is not a whole number from 1 to 1000/],
    [['--seconds', '1.5'], /--seconds: "1.5" is not a whole number/],
    [['--daprd', '/nowhere/daprd'], /--daprd: \/nowhere\/daprd is not an executable file/],
    [['--placement', process.execPath], /--placement needs --daprd PATH as well/],
    [['--fast'], /Unknown option '--fast'; see --help/],
  ])('%j says what is wrong and what would be right', (argv, message) => {
    expect(() => parseOptions(argv)).toThrow(message);
  });
});
