/**
 * What is left of one counter when others are taken off it that count a part of the same. They are read at slightly different moments, so the
 * difference itself could fall, which a scraper would take for a restart: what is too much in one reading is taken off the next.
 */
export class Remainder {
  #whole = 0;
  #part = 0;
  #owed = 0;
  #value = 0;

  /** @param whole, part what both have counted; one that fell has started anew */
  read(whole: number, part: number): number {
    const grown = grownFrom(this.#whole, whole) - grownFrom(this.#part, part) - this.#owed;
    this.#whole = whole;
    this.#part = part;
    this.#owed = Math.max(0, -grown);
    this.#value += Math.max(0, grown);
    return this.#value;
  }
}

const grownFrom = (before: number, now: number) => (now < before ? now : now - before);
