import { visibleWidth } from './terminal.js';

/**
 * Columns padded to their widest cell, two spaces between them, the last one unpadded.
 * @param rows the first row is the heading; cells may hold colour codes
 */
export function renderTable(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows)
    row.forEach((cell, column) => {
      widths[column] = Math.max(widths[column] ?? 0, visibleWidth(cell));
    });
  const render = (row: readonly string[]) =>
    row.map((cell, column) => (column === row.length - 1 ? cell : cell + ' '.repeat((widths[column] ?? 0) - visibleWidth(cell))));
  return rows.map((row) => render(row).join('  ').trimEnd()).join('\n');
}

/** @returns `4s`, `3m`, `2h` or `5d`, as `dapr list` shows ages */
export function ageText(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 60) return `${seconds}s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m`;
  return seconds < 86_400 ? `${Math.floor(seconds / 3600)}h` : `${Math.floor(seconds / 86_400)}d`;
}
