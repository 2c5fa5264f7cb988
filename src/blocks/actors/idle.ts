import type { Clock } from '../../lib/clock.js';

/** A place in the queue; `cancel` takes it out. */
export interface ExpiryEntry {
  cancel(): void;
}

export interface ExpiryQueue<T> {
  /** Milliseconds on the queue's clock. */
  add(item: T, atMs: number): ExpiryEntry;
  readonly size: number;
  close(): void;
}

interface Slot<T> {
  readonly item: T;
  atMs: number;
  /** Position in the heap; -1: not in it. */
  index: number;
}

/**
 * One queue and one timer for everything that expires. An item whose time was pushed back is not moved: when it comes up,
 * `expire` names its new time. So a turn costs the queue nothing.
 * @param expire called when an item is due; @returns a later time to be called again, undefined when the item is done
 */
export function createExpiryQueue<T>(clock: Clock, expire: (item: T) => number | undefined): ExpiryQueue<T> {
  const heap: Slot<T>[] = [];
  let cancelTimer: (() => void) | undefined;
  let timerAtMs = Number.POSITIVE_INFINITY;

  const place = (slot: Slot<T>, index: number) => {
    heap[index] = slot;
    slot.index = index;
  };
  const rise = (slot: Slot<T>) => {
    while (slot.index > 0) {
      const parent = heap[(slot.index - 1) >> 1] as Slot<T>;
      if (parent.atMs <= slot.atMs) return;
      const { index } = parent;
      place(parent, slot.index);
      place(slot, index);
    }
  };
  const sink = (slot: Slot<T>) => {
    for (;;) {
      const left = heap[2 * slot.index + 1];
      const right = heap[2 * slot.index + 2];
      const child = right && left && right.atMs < left.atMs ? right : left;
      if (!child || child.atMs >= slot.atMs) return;
      const { index } = child;
      place(child, slot.index);
      place(slot, index);
    }
  };
  const remove = (slot: Slot<T>) => {
    const last = heap.pop() as Slot<T>;
    if (last !== slot) {
      place(last, slot.index);
      rise(last);
      sink(last);
    }
    slot.index = -1;
  };
  const arm = () => {
    const first = heap[0];
    if (!first || first.atMs >= timerAtMs) return;
    cancelTimer?.();
    timerAtMs = first.atMs;
    cancelTimer = clock.after(Math.max(0, first.atMs - clock.now()), run);
  };
  const run = () => {
    timerAtMs = Number.POSITIVE_INFINITY;
    cancelTimer = undefined;
    const now = clock.now();
    for (let slot = heap[0]; slot && slot.atMs <= now; slot = heap[0]) {
      remove(slot);
      const later = expire(slot.item);
      // Never due again in this round, so that the loop ends.
      if (later !== undefined) insert(slot, Math.max(later, now + 1));
    }
    arm();
  };
  const insert = (slot: Slot<T>, atMs: number) => {
    slot.atMs = atMs;
    place(slot, heap.length);
    rise(slot);
  };

  return {
    add(item, atMs) {
      const slot: Slot<T> = { item, atMs, index: -1 };
      insert(slot, atMs);
      arm();
      return {
        cancel() {
          // The timer may now be early for what is left; it looks and arms itself again.
          if (slot.index >= 0) remove(slot);
        },
      };
    },
    get size() {
      return heap.length;
    },
    close() {
      cancelTimer?.();
      for (const slot of heap) slot.index = -1;
      heap.length = 0;
    },
  };
}
