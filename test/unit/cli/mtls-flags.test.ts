import { describe, expect, it } from 'vitest';
import { type MtlsFlags, mtlsOf } from '../../../src/cli/mtls-flags.js';

const flags = (change: Partial<MtlsFlags> = {}): MtlsFlags => ({ trustDomain: 'public', identityPort: 0, ...change });

describe('the flags of mTLS', () => {
  it('leave to the Configuration what nobody says', () => {
    expect(mtlsOf(flags())).toEqual({ trustDomain: 'public', identityPort: 0 });
  });

  it.each([
    [true, true],
    ['true', true],
    ['1', true],
    ['false', false],
    ['0', false],
  ])('take --enable-mtls %s', (value, enabled) => {
    expect(mtlsOf(flags({ enableMtls: value })).enabled).toBe(enabled);
  });

  it('take durations as Go writes them', () => {
    const times = mtlsOf(flags({ workloadCertTtl: '30s', allowedClockSkew: '1m' }));
    expect(times).toMatchObject({ leafTtlMs: 30_000, clockSkewMs: 60_000 });
  });

  it.each<[Partial<MtlsFlags>, RegExp]>([
    [{ workloadCertTtl: '1s' }, /--workload-cert-ttl 1s/],
    [{ workloadCertTtl: 'long' }, /--workload-cert-ttl long/],
    [{ trustDomain: 'Public' }, /--trust-domain Public/],
    [{ trustDomain: 'a/b' }, /--trust-domain/],
    [{ issuerKeyFile: 'k' }, /--trust-anchors-file, --issuer-certificate-file and --issuer-key-file together/],
  ])('refuse %j', (change, message) => {
    expect(() => mtlsOf(flags(change))).toThrow(message);
  });
});
