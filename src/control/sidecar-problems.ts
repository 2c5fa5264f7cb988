import type { Instance } from '../model/instance.js';
import { appKey } from '../model/instance.js';

/** @returns what attached sidecars cannot do with their resources, each line once an app */
export const sidecarProblems = (instances: readonly Instance[]): readonly string[] => [
  ...new Set(instances.flatMap((instance) => instance.problems.map((problem) => `${appKey(instance)}: ${problem}`))),
];
