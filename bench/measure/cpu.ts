import { readFileSync } from 'node:fs';
import type { MeasuredProcess, ProcessPart } from '../types.js';

/** Kernel clock ticks are 1/100 s for user space on every Linux that Node runs on. */
const US_PER_TICK = 10_000;

/** @returns user plus system CPU microseconds that a process has used; 0 when it is gone */
export function cpuMicros(pid: number): number {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name in parentheses may hold spaces; fields 14 and 15 (utime, stime) are counted from behind it.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) * US_PER_TICK;
  } catch {
    return 0;
  }
}

/** @returns CPU microseconds by part */
export function cpuByPart(processes: readonly MeasuredProcess[]): Readonly<Partial<Record<ProcessPart, number>>> {
  const sums: Partial<Record<ProcessPart, number>> = {};
  for (const { pid, part } of processes) sums[part] = (sums[part] ?? 0) + cpuMicros(pid);
  return sums;
}
