import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { basename } from 'node:path';
import type { MeasuredProcess } from '../types.js';

/** @returns those of the process and its descendants that are Node or Envoy; the shells that guard them are left out */
export function sidecarTree(pid: number): readonly MeasuredProcess[] {
  const program = programOf(pid);
  const own: readonly MeasuredProcess[] =
    program === process.execPath
      ? [{ pid, part: 'node' }]
      : basename(program).startsWith('envoy')
        ? [{ pid, part: 'envoy' }]
        : [];
  return [...own, ...children(pid).flatMap(sidecarTree)];
}

function programOf(pid: number): string {
  try {
    return readlinkSync(`/proc/${pid}/exe`);
  } catch {
    return '';
  }
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
