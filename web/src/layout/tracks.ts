/** Rows for what runs across between two ranks: lines that overlap get rows of their own, those of one box share one. */

interface Across {
  low: number;
  high: number;
  row: number;
}

export class Tracks {
  readonly #gaps: Map<number, Across>[] = [];

  /** Asks for a row in a gap from `from` to `to`; all that one owner asks for is one row. */
  ask(gap: number, owner: number, from: number, to: number): void {
    this.#gaps[gap] ??= new Map();
    const owned = this.#gaps[gap] as Map<number, Across>;
    const held = owned.get(owner);
    if (held) {
      held.low = Math.min(held.low, from, to);
      held.high = Math.max(held.high, from, to);
    } else owned.set(owner, { low: Math.min(from, to), high: Math.max(from, to), row: 0 });
  }

  /** Gives each owner its row and says how many rows the gap needs. */
  settle(gap: number, room: number): number {
    const owned = this.#gaps[gap];
    if (!owned) return 0;
    const ends: number[] = [];
    const all = [...owned.values()].sort((a, b) => a.low - b.low || a.high - b.high);
    for (const one of all) {
      let row = ends.findIndex((end) => end + room <= one.low);
      if (row < 0) row = ends.length;
      ends[row] = one.high;
      one.row = row;
    }
    return ends.length;
  }

  row(gap: number, owner: number): number {
    return this.#gaps[gap]?.get(owner)?.row ?? 0;
  }
}
