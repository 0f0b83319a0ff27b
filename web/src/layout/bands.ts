/**
 * Between two ranks, lines that lie side by side share a band of height: there they cross over from where they leave to
 * where they arrive, and nothing else stands in it. Lines that have no stretch of the width in common have bands of
 * their own, so that what is high or late in one place holds up nothing elsewhere.
 */
import { listed } from "./columns";
import { SPACE } from "./frame";
import { Integers } from "./pairs";

/** The least height of the band in a gap, before what its lines need. */
export type Plain = (gap: number) => number;

interface Across {
  /** Its number among all that asks for room. */
  readonly at: number;
  row: number;
}

/** Most that lines get which go far sideways, and the way sideways for half of it: or they would lie flat on the boxes. */
const ROOM = 28;
const SIDEWAYS = 480;
/** Pixels sideways that nobody sees. */
const STRAIGHT = 0.75;

/** Who asks: a part of an arrow by its number, else one of these. */
const ROW = -1;
const KEPT = -2;

export class Bands {
  readonly #gap: Integers;
  readonly #of: Integers;
  readonly #low: number[] = [];
  readonly #high: number[] = [];
  readonly #rows: Map<number, Across>[] = [];
  #band = new Int32Array(0);
  /** Bands of gap g are `start[g]` up to `start[g + 1]`, from left to right. */
  start = new Int32Array(0);
  low = new Float32Array(0);
  high = new Float32Array(0);
  size = new Float32Array(0);
  /** Rows for what runs level, and the upper side of the band once it is placed. */
  rows = new Int32Array(0);
  top = new Float32Array(0);
  /** Of each part of an arrow, its band. */
  readonly ofPart: Int32Array;
  /** Of each part of an arrow, whether it only leads straight on. */
  readonly #straight: Uint8Array;

  constructor(parts: number) {
    this.#gap = new Integers(2 * parts);
    this.#of = new Integers(2 * parts);
    this.ofPart = new Int32Array(parts).fill(-1);
    this.#straight = new Uint8Array(parts);
  }

  /** Part of an arrow crosses a gap. One that leads `on`, to no box, needs no height where it is straight. */
  cross(gap: number, part: number, from: number, to: number, on: boolean): void {
    this.#ask(gap, part, from, to);
    if (on && Math.abs(from - to) < STRAIGHT) this.#straight[part] = 1;
  }

  /** A line runs level, in a row of its own; all that one owner asks for in a gap is one row. */
  level(gap: number, owner: number, from: number, to: number): void {
    this.#rows[gap] ??= new Map();
    const owned = this.#rows[gap] as Map<number, Across>;
    const held = owned.get(owner);
    if (held) {
      this.#low[held.at] = Math.min(this.#low[held.at] as number, from, to);
      this.#high[held.at] = Math.max(this.#high[held.at] as number, from, to);
    } else owned.set(owner, { at: this.#ask(gap, ROW, from, to), row: 0 });
  }

  /** Nothing may stand in a gap over this stretch. The number answers for it. */
  keep(gap: number, from: number, to: number): number {
    return this.#ask(gap, KEPT, from, to);
  }

  #ask(gap: number, of: number, from: number, to: number): number {
    this.#gap.push(gap);
    this.#low.push(Math.min(from, to));
    this.#high.push(Math.max(from, to));
    return this.#of.push(of);
  }

  /** Makes the bands of all gaps. */
  settle(gaps: number, plain: Plain): void {
    const byGap = listed(this.#gap.taken(), gaps);
    const count = byGap.items.length;
    const lows = this.#low;
    this.#band = new Int32Array(count);
    this.start = new Int32Array(gaps + 1);
    this.low = new Float32Array(count);
    this.high = new Float32Array(count);
    this.rows = new Int32Array(count);
    const widest = new Float32Array(count);
    const gapOf = new Int32Array(count);
    const bends = new Uint8Array(count);
    let bands = 0;
    for (let gap = 0; gap < gaps; gap++) {
      this.start[gap] = bands;
      const asked = byGap.items.subarray(byGap.start[gap], byGap.start[gap + 1]);
      if (asked.length > 1) asked.sort((a, b) => (lows[a] as number) - (lows[b] as number));
      let end = Number.NEGATIVE_INFINITY;
      for (const at of asked) {
        const [low, high] = [lows[at] as number, this.#high[at] as number];
        if (low > end) {
          gapOf[bands] = gap;
          this.low[bands] = low;
          bands++;
        }
        end = Math.max(end, high);
        const band = bands - 1;
        this.high[band] = end;
        this.#band[at] = band;
        const of = this.#of.at(at);
        if (of < 0 || !this.#straight[of]) bends[band] = 1;
        if (of < 0) continue;
        this.ofPart[of] = band;
        widest[band] = Math.max(widest[band] as number, high - low);
      }
      this.#settleRows(gap);
    }
    this.start[gaps] = bands;
    this.top = new Float32Array(bands);
    this.size = Float32Array.from({ length: bands }, (_, band) => {
      if (!bends[band]) return 0;
      const gap = gapOf[band] as number;
      const outermost = gap === 0 || gap === gaps - 1;
      const room = outermost ? 0 : Math.min(ROOM, ((widest[band] as number) / SIDEWAYS) * ROOM);
      return plain(gap) + room + (this.rows[band] as number) * SPACE.track;
    });
  }

  /** Rows that overlap lie above one another, the one that begins leftmost on top. */
  #settleRows(gap: number): void {
    const owned = this.#rows[gap];
    if (!owned) return;
    const [lows, highs] = [this.#low, this.#high];
    const all = [...owned.values()].sort(
      (a, b) => (lows[a.at] as number) - (lows[b.at] as number) || (highs[a.at] as number) - (highs[b.at] as number),
    );
    const ends: number[] = [];
    for (const one of all) {
      let row = ends.findIndex((end) => end + SPACE.track <= (lows[one.at] as number));
      if (row < 0) row = ends.length;
      ends[row] = highs[one.at] as number;
      one.row = row;
      const band = this.#band[one.at] as number;
      this.rows[band] = Math.max(this.rows[band] as number, row + 1);
    }
  }

  /** Upper and lower side of the band in which something was kept free, once it is placed. */
  kept(number: number): readonly [number, number] {
    const band = this.#band[number] as number;
    const top = this.top[band] as number;
    return [top, top + (this.size[band] as number)];
  }

  /** The height of an owner's row, once its band is placed. */
  rowY(gap: number, owner: number): number {
    const held = this.#rows[gap]?.get(owner);
    if (!held) return Number.NaN;
    const band = this.#band[held.at] as number;
    const spare = (this.size[band] as number) - Math.max(0, (this.rows[band] as number) - 1) * SPACE.track;
    return (this.top[band] as number) + spare / 2 + held.row * SPACE.track;
  }
}
