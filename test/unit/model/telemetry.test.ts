import { describe, expect, it } from 'vitest';
import { samplingRate, tracingSettings, withEnvironment, withoutTracingSecrets } from '../../../src/model/telemetry.js';

const collectorOf = (tracing: object) => tracingSettings({ tracing: { samplingRate: '1', ...tracing } })?.collectors[0];

describe('the sampling rate', () => {
  it.each([
    [undefined, 1e-4],
    ['', 1e-4],
    ['much', 1e-4],
    ['0', 0],
    ['0.5', 0.5],
    [1, 1],
    ['7', 1],
    ['-1', 0],
  ])('%s is %s', (given, rate) => expect(samplingRate({ tracing: { samplingRate: given as string } })).toBe(rate));
});

describe('the collector', () => {
  it.each([
    [{ otel: { endpointAddress: 'collector:4317', isSecure: false } }, 'otlp-grpc', 'http://collector:4317'],
    [{ otel: { endpointAddress: 'collector' } }, 'otlp-grpc', 'https://collector:4317'],
    [{ otel: { endpointAddress: '[::1]:9', isSecure: false } }, 'otlp-grpc', 'http://[::1]:9'],
    [{ otel: { endpointAddress: 'collector', protocol: 'http' } }, 'otlp-http', 'https://collector:4318/v1/traces'],
    [{ otel: { endpointAddress: 'http://c/in?k=1', protocol: 'http' } }, 'otlp-http', 'http://c:80/in?k=1'],
    [{ zipkin: { endpointAddress: 'http://zipkin:9411/api/v2/spans' } }, 'zipkin', 'http://zipkin:9411/api/v2/spans'],
    [{ zipkin: { endpointAddress: 'zipkin' } }, 'zipkin', 'http://zipkin:9411/api/v2/spans'],
  ])('of %j is %s %s', (tracing, kind, url) => expect(collectorOf(tracing)).toMatchObject({ kind, url }));

  it('may be more than one, and none when nothing is named or the rate is 0', () => {
    const tracing = { samplingRate: '1', stdout: true, zipkin: { endpointAddress: 'zipkin' } };
    expect(tracingSettings({ tracing })?.collectors.map(({ kind }) => kind)).toEqual(['stdout', 'zipkin']);
    expect(tracingSettings({ tracing: { ...tracing, samplingRate: '0' } })).toBeUndefined();
    expect(tracingSettings({ tracing: { samplingRate: '1' } })).toBeUndefined();
  });

  it('has headers as names with values or in one text, and a time', () => {
    const headers = [{ name: 'X-Key', value: 'a' }, 'b=c, d=e=f'];
    const collector = collectorOf({ otel: { endpointAddress: 'c', headers, timeout: '3s' } });
    expect(collector).toMatchObject({ headers: { 'x-key': 'a', b: 'c', d: 'e=f' }, timeoutMs: 3000 });
  });

  it('comes from the environment when the Configuration names none', () => {
    const env = {
      OTEL_EXPORTER_OTLP_ENDPOINT: 'http://c:4318/',
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http/protobuf',
      OTEL_EXPORTER_OTLP_HEADERS: 'k=v',
    };
    const settings = tracingSettings(withEnvironment({}, env));
    expect(settings).toMatchObject({
      samplingRate: 1,
      collectors: [{ kind: 'otlp-http', url: 'http://c:4318/v1/traces', headers: { k: 'v' } }],
    });
    const own = withEnvironment({ tracing: { otel: { endpointAddress: 'mine:1' } } }, env);
    expect(tracingSettings(own)?.collectors).toMatchObject([{ kind: 'otlp-grpc', url: 'https://mine:1' }]);
  });
});

it("a collector's headers are not for people's eyes", () => {
  const headers = [{ name: 'authorization', value: 'sesame' }, 'k=sesame'];
  const spec = { tracing: { otel: { endpointAddress: 'c', headers } } };
  expect(JSON.stringify(withoutTracingSecrets(spec))).not.toContain('sesame');
  expect(spec.tracing.otel.headers).toBe(headers);
});
