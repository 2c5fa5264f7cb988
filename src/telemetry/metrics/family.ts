import type { Metric, Registry } from 'prom-client';
import type { Relabeling, Sample, SeriesType } from './relabeling.js';

/**
 * Counters and histograms whose series are looked up once and are plain numbers from then on: prom-client's own hash their labels on each
 * use, which on the hot path costs more than some calls do. They stand in a prom-client registry like any other.
 */
export interface Family<T> {
  /** @returns the series with these label values, in the order of the label names; beyond the bound one shared series */
  of(...values: readonly string[]): T;
  /** Forgets all series: what their labels say means nothing any more. */
  clear(): void;
}

/** A family whose series may also be made when they are asked for. */
export interface Readings extends Family<Count> {
  /** @param fill makes all series anew whenever they are shown */
  from(fill: () => void): void;
}

export interface FamilyOptions {
  readonly name: string;
  readonly help: string;
  readonly labels: readonly string[];
  readonly registry: Registry;
  /** Most series; what comes later is counted together, with `other` for every label. Default 500. */
  readonly max?: number;
  /** What the labels become when they are shown. */
  readonly relabeling?: Relabeling;
  /** @returns series of this family that somebody else counts */
  readonly others?: (name: string) => readonly Sample[];
}

/** Upper bounds of buckets, ascending. Others put in their place start every histogram that has them anew. */
export interface Bounds {
  values: readonly number[];
}

export interface Count {
  value: number;
}

export interface Distribution {
  observe(value: number): void;
}

const MAX_SERIES = 500;
const OTHER = 'other';

/** @returns a counter; who counts adds to `value` */
export function counterFamily(options: FamilyOptions): Readings {
  return family(options, 'counter', {
    make: (): Count => ({ value: 0 }),
    samples: ({ value }, labels) => [{ value, labels, metricName: options.name }],
  });
}

/** @returns a gauge; who knows sets `value` */
export function gaugeFamily(options: FamilyOptions): Readings {
  return family(options, 'gauge', {
    make: (): Count => ({ value: 0 }),
    samples: ({ value }, labels) => [{ value, labels, metricName: options.name }],
  });
}

export function histogramFamily(options: FamilyOptions, bounds: Bounds): Family<Distribution> {
  const { name } = options;
  return family(options, 'histogram', {
    make: () => new Buckets(bounds),
    samples(buckets, labels) {
      const found: Sample[] = [];
      let total = 0;
      for (const [index, count] of buckets.counts().entries()) {
        total += count;
        found.push({ value: total, labels: { ...labels, le: bounds.values[index] ?? '+Inf' }, metricName: `${name}_bucket` });
      }
      found.push({ value: buckets.sum, labels, metricName: `${name}_sum` });
      found.push({ value: total, labels, metricName: `${name}_count` });
      return found;
    },
  });
}

class Buckets implements Distribution {
  readonly #shared: Bounds;
  #bounds: readonly number[] = [];
  /** One more than there are bounds. */
  #counts = new Float64Array(1);
  sum = 0;

  constructor(bounds: Bounds) {
    this.#shared = bounds;
    this.#restart();
  }

  counts(): Float64Array {
    if (this.#bounds !== this.#shared.values) this.#restart();
    return this.#counts;
  }

  observe(value: number): void {
    const counts = this.counts();
    const bounds = this.#bounds;
    let index = 0;
    // Most values lie in the first buckets.
    while (index < bounds.length && value > (bounds[index] as number)) index += 1;
    counts[index] = (counts[index] as number) + 1;
    this.sum += value;
  }

  #restart(): void {
    this.#bounds = this.#shared.values;
    this.#counts = new Float64Array(this.#bounds.length + 1);
    this.sum = 0;
  }
}

interface Kind<T> {
  make(): T;
  samples(series: T, labels: Readonly<Record<string, string>>): readonly Sample[];
}

function family<T>(options: FamilyOptions, type: SeriesType, kind: Kind<T>): Family<T> & { from(fill: () => void): void } {
  const { name, help, labels, registry, max = MAX_SERIES, relabeling, others } = options;
  let refill: (() => void) | undefined;
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
    async get() {
      if (refill) series.clear();
      refill?.();
      const own = [...series.values()].flatMap((it) => kind.samples(it.series, it.labels));
      const values = together(own, others?.(name) ?? []);
      return { name, help, type, values: relabeling?.shown(name, type, values) ?? values };
    },
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
    clear: () => series.clear(),
    from(fill) {
      refill = fill;
    },
  };
}

/** Two who count one series: what they counted is added up. */
function together(own: readonly Sample[], others: readonly Sample[]): readonly Sample[] {
  if (others.length === 0) return own;
  const found = new Map<string, Sample>();
  for (const sample of [...own, ...others]) {
    const key = JSON.stringify([
      sample.metricName,
      Object.entries(sample.labels)
        .map(([label, value]) => `${label} ${value}`)
        .sort(),
    ]);
    found.set(key, { ...sample, value: sample.value + (found.get(key)?.value ?? 0) });
  }
  return [...found.values()];
}
