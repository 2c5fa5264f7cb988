import type { MeasuredProcess, ProcessPart } from '../types.js';
import { pssByPart, pssOf } from './pss.js';

const EVERY_MS = 50;

export interface Peak {
  /** Highest proportional set size by part, MB. */
  readonly pssMb: Readonly<Partial<Record<ProcessPart, number>>>;
  /** How much the parts have grown together since the start, and the app. */
  readonly growthMb: number;
  readonly appGrowthMb: number;
}

/** Looks at the memory of sidecars and app again and again. */
export function watchPeak(sidecars: readonly MeasuredProcess[], appPid: number): { stop(): Peak } {
  const first = pssByPart(sidecars);
  const appFirst = pssOf(appPid);
  const highest: Partial<Record<ProcessPart, number>> = { ...first };
  let total = sum(first);
  let app = appFirst;
  const look = () => {
    const now = pssByPart(sidecars);
    for (const part of Object.keys(now) as ProcessPart[]) highest[part] = Math.max(highest[part] ?? 0, now[part] ?? 0);
    total = Math.max(total, sum(now));
    app = Math.max(app, pssOf(appPid));
  };
  const timer = setInterval(look, EVERY_MS);
  return {
    stop() {
      clearInterval(timer);
      look();
      return { pssMb: highest, growthMb: total - sum(first), appGrowthMb: app - appFirst };
    },
  };
}

const sum = (parts: Readonly<Partial<Record<ProcessPart, number>>>) => Object.values(parts).reduce((all, one) => all + one, 0);
