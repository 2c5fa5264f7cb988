import { Registry } from 'prom-client';
import { expect, it } from 'vitest';
import { type Bounds, counterFamily, gaugeFamily, histogramFamily } from '../../../../src/telemetry/metrics/family.js';
import { readSeries, sumOf } from '../../../support/series.js';

const registered = () => {
  const registry = new Registry();
  return { options: { name: 'x', help: 'x', labels: ['a'], registry }, read: async () => readSeries(await registry.metrics()) };
};

it('counts together what comes beyond its bound', async () => {
  const { options, read } = registered();
  const family = counterFamily({ ...options, max: 3 });
  for (let n = 0; n < 100; n++) family.of(String(n)).value += 1;
  const samples = await read();
  expect(samples).toHaveLength(4);
  expect(sumOf(samples, 'x', { a: 'other' })).toBe(97);
});

it('starts anew with other bounds, also where a series is held on to', async () => {
  const { options, read } = registered();
  const bounds: Bounds = { values: [10] };
  const series = histogramFamily(options, bounds).of('1');
  series.observe(5);
  bounds.values = [1, 100];
  series.observe(50);
  const samples = await read();
  expect(samples.map(({ name, labels, value }) => [name, labels.le, value])).toEqual([
    ['x_bucket', '1', 0],
    ['x_bucket', '100', 1],
    ['x_bucket', '+Inf', 1],
    ['x_sum', undefined, 50],
    ['x_count', undefined, 1],
  ]);
});

it('forgets readings that nobody gives any more', async () => {
  const { options, read } = registered();
  const family = gaugeFamily(options);
  let states = ['closed'];
  family.from(() => {
    for (const state of states) family.of(state).value = 1;
  });
  expect(sumOf(await read(), 'x', { a: 'closed' })).toBe(1);
  states = ['open'];
  expect((await read()).map(({ labels }) => labels.a)).toEqual(['open']);
});

it('adds up what others count under the same labels', async () => {
  const { options, read } = registered();
  const others = () => [
    { metricName: 'x', labels: { a: '1' }, value: 2 },
    { metricName: 'x', labels: { a: '2' }, value: 5 },
  ];
  counterFamily({ ...options, others }).of('1').value += 1;
  const samples = await read();
  expect([sumOf(samples, 'x', { a: '1' }), sumOf(samples, 'x', { a: '2' })]).toEqual([3, 5]);
});
