import { describe, expect, it } from 'vitest';
import { resolveProfile } from '../../../src/mesh/profile.js';

const withCa = { trustDomain: 'weft.test' };

describe('the mesh profile', () => {
  it('does everything itself where no mesh is', () => {
    expect(resolveProfile(undefined, withCa)).toMatchObject({
      provider: 'none',
      mtls: 'own',
      tracing: 'own',
      trustDomain: 'weft.test',
    });
  });

  it('has no mTLS without a certificate authority', () => {
    expect(resolveProfile({ mtls: 'own' }, { trustDomain: undefined })).toMatchObject({ mtls: 'off', trustDomain: '' });
  });

  it.each(['istio', 'linkerd', 'envoy-gateway', 'generic'] as const)('leaves TLS and spans to %s', (provider) => {
    expect(resolveProfile({ provider }, withCa)).toMatchObject({ mtls: 'defer', tracing: 'defer', trustDomain: '' });
  });

  it('does beside another mesh what it is told to do itself', () => {
    expect(resolveProfile({ provider: 'istio', tracing: 'own' }, withCa)).toMatchObject({ mtls: 'defer', tracing: 'own' });
    expect(resolveProfile({ provider: 'istio', mtls: 'own' }, withCa)).toMatchObject({ mtls: 'own', trustDomain: 'weft.test' });
  });

  it('sends calls to the service names of the mesh that does mTLS', () => {
    expect(resolveProfile({ provider: 'linkerd' }, withCa).service).toEqual({
      hostName: '{app}.{namespace}.svc.cluster.local',
      port: 80,
    });
    expect(resolveProfile({ provider: 'generic', service: { port: 8080 } }, withCa).service?.port).toBe(8080);
    expect(resolveProfile({ provider: 'istio', mtls: 'own' }, withCa).service).toBeUndefined();
  });

  it.each([
    [{ mtls: 'defer' }, /spec\.mesh\.mtls: .*set provider/],
    [{ provider: 'none', tracing: 'defer' }, /spec\.mesh\.tracing: .*set provider/],
    [{ provider: 'istio', mtls: 'own', service: { port: 80 } }, /spec\.mesh\.service: .*set mtls: defer/],
    [{ service: { port: 80 } }, /spec\.mesh\.service/],
  ] as const)('refuses %j', (spec, message) => {
    expect(() => resolveProfile(spec, withCa)).toThrow(message);
  });

  it('cannot be changed', () => {
    expect(Object.isFrozen(resolveProfile(undefined, withCa))).toBe(true);
  });
});
