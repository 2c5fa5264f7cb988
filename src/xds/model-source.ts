import { messageOf } from '../errors.js';
import type { Clock } from '../lib/clock.js';
import type { MeshModel } from '../model/mesh-model.js';
import { type NodeIdentity, nodeId } from '../model/names.js';
import type { Logger } from '../telemetry/logger.js';
import type { Snapshot, SnapshotSource } from './resource.js';

export interface ModelSourceOptions {
  readonly model: MeshModel;
  readonly build: (model: MeshModel, node: NodeIdentity) => Snapshot | undefined;
  /** How long after its start the source calls itself settling, in milliseconds. */
  readonly settleMs: number;
  readonly clock: Clock;
  readonly logger: Logger;
}

export interface ModelSource extends SnapshotSource {
  current(): MeshModel;
  set(model: MeshModel): void;
  close(): void;
}

/** Makes snapshots from the newest model, each node's once a model. */
export function createModelSource({ model: first, build, settleMs, clock, logger }: ModelSourceOptions): ModelSource {
  const listeners = new Set<() => void>();
  const last = new Map<string, Snapshot>();
  let made = new Map<string, Snapshot | undefined>();
  let model = first;
  let settling = settleMs > 0;
  const notify = () => {
    for (const listener of listeners) listener();
  };
  const cancel = clock.after(settleMs, () => {
    settling = false;
    notify();
  });

  /** A translator that fails must not take the mesh along: the node keeps what it has, and the log says so. */
  const buildFor = (node: NodeIdentity): Snapshot | undefined => {
    try {
      return build(model, node);
    } catch (error) {
      logger.error('no configuration could be made for a proxy', { node: nodeId(node), error: messageOf(error) });
      return last.get(nodeId(node));
    }
  };

  return {
    current: () => model,
    set(next) {
      model = next;
      made = new Map();
      notify();
    },
    snapshot(node) {
      const id = nodeId(node);
      if (made.has(id)) return made.get(id);
      const snapshot = buildFor(node);
      made.set(id, snapshot);
      if (snapshot) last.set(id, snapshot);
      else last.delete(id);
      return snapshot;
    },
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    settling: () => settling,
    close() {
      cancel();
      listeners.clear();
    },
  };
}
