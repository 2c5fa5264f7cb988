import { describe, expect, it } from 'vitest';
import { type ApiSpec, apiBlock } from '../../../../src/model/access/api-rules.js';

const blocked = (spec: ApiSpec, group: string, version = 'v1.0', protocol: 'http' | 'grpc' = 'http') =>
  apiBlock(spec, protocol)?.(group, version) ?? false;

describe('lists of the API', () => {
  it('block nothing when there are none', () => expect(apiBlock({}, 'http')).toBeUndefined());
  it('a denial blocks its part in its version and protocol', () => {
    const spec: ApiSpec = { denied: [{ name: 'state', version: 'v1', protocol: 'http' }] };
    expect(blocked(spec, 'state')).toBe(true);
    expect(blocked(spec, 'state', 'v1.0-alpha1')).toBe(false);
    expect(blocked(spec, 'state', 'v1', 'grpc')).toBe(false);
    expect(blocked(spec, 'publish')).toBe(false);
  });
  it('versions may be written in either way', () => {
    for (const version of ['v1alpha1', 'v1.0-alpha1'])
      expect(blocked({ denied: [{ name: 'state', version, protocol: 'http' }] }, 'state', 'v1.0-alpha1')).toBe(true);
  });
  it('an allowance blocks everything else of its protocol, but never health', () => {
    const spec: ApiSpec = { allowed: [{ name: 'state', version: 'v1', protocol: 'http' }] };
    expect(blocked(spec, 'state')).toBe(false);
    expect(blocked(spec, 'invoke')).toBe(true);
    expect(blocked(spec, 'healthz')).toBe(false);
    expect(blocked(spec, 'invoke', 'v1', 'grpc')).toBe(false);
  });
  it('a denial comes before an allowance', () => {
    const rule = { name: 'state', version: 'v1', protocol: 'http' } as const;
    expect(blocked({ allowed: [rule], denied: [rule] }, 'state')).toBe(true);
  });
  it('what is left out widens a denial and empties an allowance', () => {
    expect(blocked({ denied: [{ name: 'state' }] }, 'state', 'v1.0-alpha1')).toBe(true);
    expect(blocked({ denied: [{ name: 'state' }] }, 'state', 'v1', 'grpc')).toBe(true);
    expect(blocked({ allowed: [{ name: 'state', protocol: 'http' }] }, 'state')).toBe(true);
  });
});
