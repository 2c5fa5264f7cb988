/** One sample of Prometheus' text. */
export interface SeriesSample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** @throws Error at a line that is none, at a family that is declared twice, at two samples of one series, and at a bucket that is less than the one before */
export function readSeries(text: string): readonly SeriesSample[] {
  const declared = new Set<string>();
  const seen = new Set<string>();
  const buckets = new Map<string, number>();
  return text.split('\n').flatMap((line) => {
    if (line === '' || line.startsWith('# HELP')) return [];
    const [, family] = /^# TYPE (\S+) (?:counter|gauge|histogram)$/.exec(line) ?? [];
    if (family) {
      if (declared.has(family)) throw new Error(`declared twice: ${family}`);
      declared.add(family);
      return [];
    }
    const [, name, labelText = '', value] = /^([a-zA-Z_]\w*)(?:\{(.*)\})? (\S+)$/.exec(line) ?? [];
    if (!name) throw new Error(`no sample: ${line}`);
    const labels = Object.fromEntries(
      [...labelText.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, key, content]) => [key, content]),
    );
    const sample = { name, labels, value: Number(value) };
    const id = idOf(sample);
    if (seen.has(id)) throw new Error(`twice: ${id}`);
    seen.add(id);
    if (labels.le !== undefined) {
      const { le: _, ...series } = labels;
      const key = idOf({ name, labels: series });
      if (sample.value < (buckets.get(key) ?? 0)) throw new Error(`buckets fall: ${line}`);
      buckets.set(key, sample.value);
    }
    return [sample];
  });
}

/** The series itself, whatever its value. */
export const idOf = ({ name, labels }: Pick<SeriesSample, 'name' | 'labels'>): string =>
  `${name}${JSON.stringify(Object.entries(labels).sort())}`;

/** @returns the sum of the samples that have these labels, whatever others they have; undefined: there is none */
export function sumOf(samples: readonly SeriesSample[], name: string, labels: Record<string, string> = {}): number | undefined {
  const found = samples.filter(
    (sample) => sample.name === name && Object.entries(labels).every(([key, value]) => (sample.labels[key] ?? '') === value),
  );
  return found.length === 0 ? undefined : found.reduce((sum, { value }) => sum + value, 0);
}

/** @returns the samples of a sidecar, or of a control plane */
export async function scrape(port: number): Promise<readonly SeriesSample[]> {
  const response = await fetch(`http://127.0.0.1:${port}/metrics`);
  if (response.status !== 200) throw new Error(`the metrics: ${response.status}`);
  return readSeries(await response.text());
}
