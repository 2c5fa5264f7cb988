import { describe, expect, it } from 'vitest';
import { reportRows, table } from '../../../bench/report.js';
import type { Sample, SubjectName } from '../../../bench/types.js';

const sample = (rps: number | null, more: Partial<Sample> = {}): Sample => ({
  ...{ rps, p50Ms: 1, p99Ms: 2, cpuUs: {}, pssMb: {}, errors: 0 },
  ...more,
});
const report = (samples: Partial<Record<SubjectName, readonly Sample[]>>, name: 'invoke-http' | 'startup' = 'invoke-http') =>
  reportRows(name, new Map(Object.entries(samples) as [SubjectName, readonly Sample[]][]));

describe('the report', () => {
  it('divides round by round before it takes the median, so that a slow spell hits both sides', () => {
    // The medians alone would say 100 / 200; each round but one says that Weft was ahead.
    const rows = report({
      'bare-envoy': [sample(50), sample(200), sample(1000)],
      'weft-envoy': [sample(100), sample(300), sample(90)],
    });
    expect(rows.map(({ subject, rps, rps_vs_bare }) => [subject, rps, rps_vs_bare])).toEqual([
      ['bare-envoy', 200, 1],
      ['weft-envoy', 100, 1.5],
    ]);
  });

  it('has no ratio without bare Envoy, and no figure where there was none', () => {
    const [row] = report({ direct: [sample(null), sample(null)] });
    expect(row).toMatchObject({ rps: null, rps_vs_bare: null, p99_vs_bare: null, cpu_us: null, pss_mb: null });
  });

  it('takes the mean of the middle two when the rounds are even', () => {
    expect(report({ direct: [sample(1), sample(4), sample(2), sample(8)] })[0]?.rps).toBe(3);
  });

  it('adds up CPU by part, and sums errors over all rounds', () => {
    const round = { cpuUs: { node: 10, envoy: 20 }, pssMb: { node: 50, envoy: 60 }, errors: 2 };
    const [row] = report({ 'weft-service': [sample(1, round), sample(1, round)] });
    expect(row).toMatchObject({ cpu_us: 30, cpu_us_by_part: { node: 10, envoy: 20 }, pss_mb: 110, errors: 4 });
    expect(table([row as never])).toMatch(/30 \(node 10, envoy 20\).*110 \(node 50, envoy 60\).* 4/);
  });

  it('shows the slowest start, not a median of the slowest', () => {
    const times = [300, 900, 400].map((p99Ms) => sample(null, { p99Ms }));
    expect(report({ 'weft-envoy': times }, 'startup')[0]?.p99_ms).toBe(900);
  });
});
