import type { Metric, Registry } from 'prom-client';

/**
 * Counters and histograms whose series are looked up once and are plain numbers from then on: prom-client's own hash their labels on each
 * use, which on the hot path costs more than some calls do. They stand in a prom-client registry like any other.
 */
export interface Family<T> {
  /** @returns the series with these label values, in the order of the label names; beyond the bound one shared series */
  of(...values: readonly string[]): T;
}

export interface FamilyOptions {
  readonly name: string;
  readonly help: string;
  readonly labels: readonly string[];
  readonly registry: Registry;
  /** Most series; what comes later is counted together, with `other` for every label. Default 500. */
  readonly max?: number;
}

export interface Count {
  value: number;
}

export interface Distribution {
  observe(value: number): void;
}

interface Sample {
  readonly value: number;
  readonly labels: Readonly<Record<string, string | number>>;
  readonly metricName: string;
}

const MAX_SERIES = 500;
const OTHER = 'other';

/** @returns a counter; who counts adds to `value` */
export function counterFamily(options: FamilyOptions): Family<Count> {
  return family(options, 'counter', {
    make: (): Count => ({ value: 0 }),
    samples: ({ value }, labels) => [{ value, labels, metricName: options.name }],
  });
}

/** @returns a gauge; who knows sets `value` */
export function gaugeFamily(options: FamilyOptions): Family<Count> {
  return family(options, 'gauge', {
    make: (): Count => ({ value: 0 }),
    samples: ({ value }, labels) => [{ value, labels, metricName: options.name }],
  });
}

/** @param bounds upper bounds of the buckets, ascending */
export function histogramFamily(options: FamilyOptions, bounds: readonly number[]): Family<Distribution> {
  const { name } = options;
  return family(options, 'histogram', {
    make: () => new Buckets(bounds),
    samples(buckets, labels) {
      const found: Sample[] = [];
      let total = 0;
      for (const [index, count] of buckets.counts.entries()) {
        total += count;
        found.push({ value: total, labels: { ...labels, le: bounds[index] ?? '+Inf' }, metricName: `${name}_bucket` });
      }
      found.push({ value: buckets.sum, labels, metricName: `${name}_sum` });
      found.push({ value: total, labels, metricName: `${name}_count` });
      return found;
    },
  });
}

class Buckets implements Distribution {
  readonly #bounds: readonly number[];
  /** One more than there are bounds. */
  readonly counts: Float64Array;
  sum = 0;

  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.counts = new Float64Array(bounds.length + 1);
  }

  observe(value: number): void {
    const bounds = this.#bounds;
    let index = 0;
    // Most values lie in the first buckets.
    while (index < bounds.length && value > (bounds[index] as number)) index += 1;
    this.counts[index] = (this.counts[index] as number) + 1;
    this.sum += value;
  }
}

interface Kind<T> {
  make(): T;
  samples(series: T, labels: Readonly<Record<string, string>>): readonly Sample[];
}

function family<T>(options: FamilyOptions, type: string, kind: Kind<T>): Family<T> {
  const { name, help, labels, registry, max = MAX_SERIES } = options;
  const series = new Map<string, { readonly labels: Readonly<Record<string, string>>; readonly series: T }>();
  const add = (key: string, values: readonly string[]): T => {
    const made = kind.make();
    series.set(key, { labels: Object.fromEntries(labels.map((label, index) => [label, values[index] ?? ''])), series: made });
    return made;
  };
  const metric = {
    name,
    help,
    type,
    aggregator: 'sum',
    get: async () => ({ name, help, type, values: [...series.values()].flatMap((it) => kind.samples(it.series, it.labels)) }),
  };
  registry.registerMetric(metric as unknown as Metric);
  return {
    of(...values) {
      const key = values.join('\u0000');
      const known = series.get(key);
      if (known) return known.series;
      if (series.size < max) return add(key, values);
      const rest = labels.map(() => OTHER);
      const restKey = rest.join('\u0000');
      return series.get(restKey)?.series ?? add(restKey, rest);
    },
  };
}
