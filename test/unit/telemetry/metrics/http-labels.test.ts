import { expect, it } from 'vitest';
import { metricsSettings } from '../../../../src/model/metrics/spec.js';
import { httpLabels } from '../../../../src/telemetry/metrics/http-labels.js';

const labels = (http: object | undefined) => httpLabels(metricsSettings(http === undefined ? {} : { metrics: { http } }), 0);

it.each([
  ['/v1.0/state/store', '/v1.0/state/store'],
  ['/v1.0/state/store/key', '/v1.0/state/store'],
  ['/v1.0/state/store/key/with/parts?metadata.a=b', '/v1.0/state/store'],
  ['/v1.0//state//store//key', '/v1.0/state/store'],
  ['/v1.0/secrets/vault/name', '/v1.0/secrets/vault'],
  ['/v1.0/secrets/vault/bulk', '/v1.0/secrets/vault'],
  ['/v1.0/publish/pubsub/topic?ttlInSeconds=1', '/v1.0/publish/pubsub/topic'],
  ['/v1.0/invoke/app/method/a/b', '/v1.0/invoke/app/method/a/b'],
  ['/v1.0/actors/Type/7/method/add', '/v1.0/actors/Type/{id}/method'],
  ['/v1.0/actors/Type/7/state/key', '/v1.0/actors/Type/{id}/state'],
  ['/v1.0/actors/Type/7', '/v1.0/actors/Type/{id}'],
  ['/actors/Type/7/method/add', '/actors/Type/{id}/method/add'],
  ['/actors/Type/7/method/timer/tick', '/actors/Type/{id}/method/timer/tick'],
  ['/actors/Type/7', '/actors/Type/{id}'],
  ['/v1.0/metadata', '/v1.0/metadata'],
  ['/v1.0/state', '/v1.0/state'],
  ['/', '/'],
  ['', ''],
])('names %s in its short form, unless it is told not to', (url, short) => {
  expect(labels(undefined).path('Operation', url)).toBe(short);
  expect(labels({ increasedCardinality: true }).path('Operation', url)).toBe(short);
  expect(labels({ increasedCardinality: null }).appPath('Operation', url)).toBe(short);
  expect(labels({ increasedCardinality: false }).path('Operation', url)).toBe('Operation');
});

it('cuts long paths: they stand in each scrape', () => {
  const path = `/v1.0/invoke/app/method/${'a'.repeat(10_000)}`;
  const label = labels(undefined).path('Operation', path);
  expect(label).toHaveLength(257);
  expect(label).toBe(`${path.slice(0, 256)}…`);
});
