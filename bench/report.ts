import type { ProcessPart, RowName, Sample, SubjectName } from './types.js';

/** One line of the result. Null: the row has no such figure. */
export interface ReportRow {
  readonly name: RowName;
  readonly subject: SubjectName;
  readonly rps: number | null;
  readonly p50_ms: number | null;
  readonly p99_ms: number | null;
  readonly cpu_us: number | null;
  readonly pss_mb: number | null;
  /** Median of the rounds' own ratios, so that a slow spell of the machine hits both sides. */
  readonly rps_vs_bare: number | null;
  readonly p99_vs_bare: number | null;
  readonly cpu_us_by_part: Readonly<Partial<Record<ProcessPart, number>>>;
  readonly pss_mb_by_part: Readonly<Partial<Record<ProcessPart, number>>>;
  readonly errors: number;
  /** Medians of the figures that only this row has. */
  readonly detail?: Readonly<Record<string, number | null>>;
}

/** Rows whose samples are single events. */
const ONE_SHOT: ReadonlySet<RowName> = new Set(['startup', 'route-change', 'new-app-callable', 'envoy-recovery']);

type Figure = (sample: Sample) => number | null;

/** Condenses the rounds of one row into one line for each subject. */
export function reportRows(name: RowName, samples: ReadonlyMap<SubjectName, readonly Sample[]>): readonly ReportRow[] {
  const bare = samples.get('bare-envoy') ?? [];
  return [...samples].map(([subject, own]) => {
    const of = (figure: Figure) => median(own.map(figure));
    const versus = (figure: Figure) =>
      median(own.map((sample, round) => ratio(figure(sample), bare[round] && figure(bare[round]))));
    const parts = (pick: (sample: Sample) => Readonly<Partial<Record<ProcessPart, number>>>) =>
      Object.fromEntries(
        Object.keys(own[0] ? pick(own[0]) : {}).map((part) => [
          part,
          round(of((sample) => pick(sample)[part as ProcessPart] ?? null)),
        ]),
      );
    const isOneShot = ONE_SHOT.has(name);
    const details = Object.keys(own[0]?.detail ?? {}).map((key) => [
      key,
      round(
        of(({ detail }) => detail?.[key] ?? null),
        2,
      ),
    ]);
    if (isOneShot) details.push(['events', own.length], ['max_ms', round(Math.max(...own.map(({ p50Ms }) => p50Ms ?? 0)), 0)]);
    return {
      name,
      subject,
      rps: round(
        of((sample) => sample.rps),
        0,
      ),
      p50_ms: round(
        of((sample) => sample.p50Ms),
        3,
      ),
      p99_ms: round(isOneShot ? Math.max(...own.map((sample) => sample.p99Ms ?? 0)) : of((sample) => sample.p99Ms), 3),
      cpu_us: round(of((sample) => total(sample.cpuUs))),
      pss_mb: round(of((sample) => total(sample.pssMb))),
      rps_vs_bare: round(
        versus((sample) => sample.rps),
        3,
      ),
      p99_vs_bare: round(
        versus((sample) => sample.p99Ms),
        3,
      ),
      cpu_us_by_part: parts((sample) => sample.cpuUs) as ReportRow['cpu_us_by_part'],
      pss_mb_by_part: parts((sample) => sample.pssMb) as ReportRow['pss_mb_by_part'],
      errors: own.reduce((sum, sample) => sum + sample.errors, 0),
      ...(details.length > 0 ? { detail: Object.fromEntries(details) } : {}),
    };
  });
}

function median(values: readonly (number | null)[]): number | null {
  const sorted = values.filter((value): value is number => value !== null).sort((a, b) => a - b);
  if (sorted.length === 0) return null;
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? (sorted[middle] as number) : ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2;
}

const ratio = (value: number | null, base: number | null | undefined) => (value === null || !base ? null : value / base);
const round = (value: number | null, digits = 1) => (value === null ? null : Number(value.toFixed(digits)));
const total = (parts: Readonly<Partial<Record<ProcessPart, number>>>) => {
  const values = Object.values(parts);
  return values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0);
};

const HEADINGS = [
  'row',
  'subject',
  'requests/s',
  'vs bare',
  'p50 ms',
  'p99 ms',
  'p99 vs bare',
  'CPU µs/request',
  'PSS MB',
  'errors',
  'besides',
];

/** @returns a plain text table */
export function table(lines: readonly ReportRow[]): string {
  const cells = lines.map((line) => [
    line.name,
    line.subject,
    text(line.rps),
    text(line.rps_vs_bare, 2),
    text(line.p50_ms, 2),
    text(line.p99_ms, 2),
    text(line.p99_vs_bare, 2),
    withParts(line.cpu_us, line.cpu_us_by_part),
    withParts(line.pss_mb, line.pss_mb_by_part),
    line.errors ? String(line.errors) : '',
    Object.entries(line.detail ?? {})
      .map(([key, value]) => `${key} ${value}`)
      .join(', '),
  ]);
  const all = [HEADINGS, ...cells];
  const widths = HEADINGS.map((_, column) => Math.max(...all.map((row) => (row[column] ?? '').length)));
  const format = (row: readonly string[]) =>
    row
      .map((cell, column) => (column < 2 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join('  ')
      .trimEnd();
  const rule = widths.map((width) => '─'.repeat(width)).join('  ');
  const body = cells.map((row, index) => (index > 0 && row[0] !== cells[index - 1]?.[0] ? `\n${format(row)}` : format(row)));
  return [format(HEADINGS), rule, ...body].join('\n');
}

function withParts(value: number | null, parts: Readonly<Partial<Record<ProcessPart, number>>>): string {
  const entries = Object.entries(parts);
  if (value === null) return '';
  return entries.length > 1
    ? `${value.toFixed(0)} (${entries.map(([part, amount]) => `${part} ${amount.toFixed(0)}`).join(', ')})`
    : value.toFixed(0);
}

const text = (value: number | null, digits = 0) => (value === null ? '' : value.toFixed(digits));
