import { readdirSync, readFileSync } from 'node:fs';
import type { MeasuredProcess } from '../types.js';

/** @returns the process and its descendants that are Node or Envoy; shells that only guard are left out */
export function sidecarTree(pid: number): readonly MeasuredProcess[] {
  const name = read(`/proc/${pid}/comm`).trim();
  const own: readonly MeasuredProcess[] = name.startsWith('envoy')
    ? [{ pid, part: 'envoy' }]
    : name === 'sh'
      ? []
      : [{ pid, part: 'node' }];
  return [...own, ...children(pid).flatMap(sidecarTree)];
}

function children(pid: number): readonly number[] {
  // Every thread lists the children that it forked itself.
  let threads: string[] = [];
  try {
    threads = readdirSync(`/proc/${pid}/task`);
  } catch {}
  return threads.flatMap((thread) => read(`/proc/${pid}/task/${thread}/children`).split(' ').filter(Boolean).map(Number));
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
