/**
 * What is left of one counter when others are taken off it that count a part of the same. They are read at slightly different moments, so the
 * difference itself could fall, which a scraper would take for a restart: what is too much in one reading is taken off the next.
 */
export class Remainder {
  #whole = 0;
  #parts: readonly number[] = [];
  #owed = 0;
  #value = 0;

  /** @param whole, parts what each has counted; one that fell has started anew, so each part is of one who counts */
  read(whole: number, ...parts: readonly number[]): number {
    const taken = parts.reduce((sum, part, at) => sum + grownFrom(this.#parts[at] ?? 0, part), 0);
    const grown = grownFrom(this.#whole, whole) - taken - this.#owed;
    this.#whole = whole;
    this.#parts = parts;
    this.#owed = Math.max(0, -grown);
    this.#value += Math.max(0, grown);
    return this.#value;
  }
}

const grownFrom = (before: number, now: number) => (now < before ? now : now - before);
