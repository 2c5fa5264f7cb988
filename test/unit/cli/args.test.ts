import { describe, expect, it } from 'vitest';
import { listArgument, parseControlPlaneAddress, portArgument } from '../../../src/cli/args.js';
import { didYouMean } from '../../../src/cli/suggest.js';
import { UsageError } from '../../../src/errors.js';

describe('arguments', () => {
  it('takes host and port of a control plane, and its HTTP port from the next', () => {
    expect(parseControlPlaneAddress('127.0.0.1:18000')).toEqual({ host: '127.0.0.1', port: 18_000, httpPort: 18_001 });
    expect(parseControlPlaneAddress('[::1]:80')).toEqual({ host: '::1', port: 80, httpPort: 81 });
    for (const wrong of ['18000', 'host', 'host:', 'host:0', 'host:65535', 'http://host:1', '::1:80'])
      expect(() => parseControlPlaneAddress(wrong), wrong).toThrow(UsageError);
  });

  it('takes ports as numbers only', () => {
    expect(portArgument('6001')).toBe(6001);
    for (const wrong of ['', '-1', '65536', '6001x', '0x10', '1e3', ' 1']) expect(() => portArgument(wrong), wrong).toThrow();
  });

  it('collects repeated and comma-separated values', () => {
    expect(listArgument('c', listArgument('a,b', undefined))).toEqual(['a', 'b', 'c']);
  });

  it('suggests what is near and nothing that is not', () => {
    expect(didYouMean('appPrt', ['appID', 'appPort', 'env'])).toBe(' (did you mean appPort?)');
    expect(didYouMean('APPPORT', ['appPort'])).toBe(' (did you mean appPort?)');
    expect(didYouMean('zebra', ['appPort'])).toBe('');
  });
});
