import { readFileSync } from 'node:fs';
import type { MeasuredProcess, ProcessPart } from '../types.js';

/** @returns proportional set size in MB (10^6 bytes); 0 when the process is gone */
export function pssOf(pid: number): number {
  try {
    const line = /^Pss:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'));
    return (Number(line?.[1] ?? 0) * 1024) / 1e6;
  } catch {
    return 0;
  }
}

/** @returns MB by part */
export function pssByPart(processes: readonly MeasuredProcess[]): Readonly<Partial<Record<ProcessPart, number>>> {
  const sums: Partial<Record<ProcessPart, number>> = {};
  for (const { pid, part } of processes) sums[part] = (sums[part] ?? 0) + pssOf(pid);
  return sums;
}
