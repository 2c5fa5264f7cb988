import type { Sample, SeriesType } from '../../telemetry/metrics/relabeling.js';

/** A family of series as Prometheus has it. */
export interface Series {
  readonly name: string;
  readonly help: string;
  readonly type: SeriesType;
}

/** Samples by family, in the order in which families are first named. */
export class SeriesSet {
  readonly #found = new Map<string, { readonly series: Series; readonly samples: Sample[] }>();

  add(series: Series, labels: Readonly<Record<string, string>>, value: number, suffix = ''): void {
    const family = this.#found.get(series.name) ?? { series, samples: [] };
    this.#found.set(series.name, family);
    family.samples.push({ metricName: `${series.name}${suffix}`, labels, value });
  }

  families(): readonly { readonly series: Series; readonly samples: readonly Sample[] }[] {
    return [...this.#found.values()];
  }
}
