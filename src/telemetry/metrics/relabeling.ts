import type { MetricsRuleSpec } from '../../model/metrics/spec.js';
import { searchFor } from '../../model/traffic/regex.js';

export type SeriesType = 'counter' | 'gauge' | 'histogram';

export interface Sample {
  readonly value: number;
  readonly labels: Readonly<Record<string, string | number>>;
  /** With the suffix that parts of a histogram have. */
  readonly metricName: string;
}

type Rewrite = (value: string) => string;

/** `spec.metrics.rules`: rewrites values of labels. That happens when series are shown, so counting costs the same with and without rules. */
export class Relabeling {
  #rules: ReadonlyMap<string, ReadonlyMap<string, Rewrite>> = new Map();

  configure(rules: readonly MetricsRuleSpec[]): void {
    this.#rules = new Map(rules.map((rule) => [plainName(rule.name), rewrites(rule)]));
  }

  /** @returns `samples` with their labels rewritten; those that are one series then are added up */
  shown(family: string, type: SeriesType, samples: readonly Sample[]): readonly Sample[] {
    const rules = this.#rules.get(plainName(family));
    if (!rules) return samples;
    const merged = new Map<string, Sample>();
    for (const sample of samples) {
      const labels = Object.fromEntries(
        Object.entries(sample.labels).map(([name, value]) => [name, rules.get(name)?.(String(value)) ?? value]),
      );
      const key = JSON.stringify([sample.metricName, labels]);
      const before = type === 'gauge' ? 0 : (merged.get(key)?.value ?? 0);
      merged.set(key, { metricName: sample.metricName, labels, value: before + sample.value });
    }
    return [...merged.values()];
  }
}

/** Dapr takes names with its prefix and without. */
const plainName = (name: string) => name.replace(/^dapr_/, '');

function rewrites({ labels }: MetricsRuleSpec): ReadonlyMap<string, Rewrite> {
  const found = (labels ?? []).map(({ name, regex }): [string, Rewrite] => {
    const steps = Object.entries(regex ?? {}).map(([by, what]) => [searchFor(what), replacement(by)] as const);
    return [name, (value) => steps.reduce((text, [what, by]) => text.replace(what, by), value)];
  });
  return new Map(found);
}

/** Go writes `${1}` and `${name}` where JavaScript has `$1` and `$<name>`. */
const replacement = (text: string): string =>
  text.replace(/\$\{(\w+)\}/g, (_, group: string) => (/^\d+$/.test(group) ? `$${group}` : `$<${group}>`));
