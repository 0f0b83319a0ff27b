/** How far down something reaches over every stretch of a frame's width. */

/** Pixels across which nothing is told apart, in frames that are not wider than `MOST` of them. */
const STEP = 4;
const MOST = 1 << 15;

/**
 * The highest number written over each stretch; asking and writing cost the logarithm of the width. Both touch every
 * stretch that theirs begins or ends in, so what is found is never too low.
 */
export class Skyline {
  readonly #left: number;
  readonly #step: number;
  readonly #leaves: number;
  /** A tree of pairs: the highest number below a node, and the highest written over the whole of it. */
  readonly #highest: Float64Array;
  readonly #whole: Float64Array;

  constructor(left: number, right: number, begin: number) {
    const width = Math.max(1, right - left);
    this.#left = left;
    this.#step = Math.max(STEP, width / MOST);
    let leaves = 1;
    while (leaves * this.#step < width + this.#step) leaves *= 2;
    this.#leaves = leaves;
    this.#highest = new Float64Array(2 * leaves).fill(begin);
    this.#whole = new Float64Array(2 * leaves).fill(begin);
  }

  highest(low: number, high: number): number {
    const first = this.#leaf(low);
    const last = this.#leaf(high);
    let most = Math.max(this.#above(first), this.#above(last));
    for (let from = first, to = last + 1; from < to; from >>= 1, to >>= 1) {
      if (from & 1) most = Math.max(most, this.#highest[from++] as number);
      if (to & 1) most = Math.max(most, this.#highest[--to] as number);
    }
    return most;
  }

  raise(low: number, high: number, value: number): void {
    const first = this.#leaf(low);
    const last = this.#leaf(high);
    for (let from = first, to = last + 1; from < to; from >>= 1, to >>= 1) {
      if (from & 1) this.#write(from++, value);
      if (to & 1) this.#write(--to, value);
    }
    for (let node = first >> 1; node > 0; node >>= 1) this.#pass(node, value);
    for (let node = last >> 1; node > 0; node >>= 1) this.#pass(node, value);
  }

  #write(node: number, value: number): void {
    if (value > (this.#whole[node] as number)) this.#whole[node] = value;
    this.#pass(node, value);
  }

  #pass(node: number, value: number): void {
    if (value > (this.#highest[node] as number)) this.#highest[node] = value;
  }

  /** The highest number written over a whole that a leaf is part of. */
  #above(leaf: number): number {
    let most = this.#whole[leaf] as number;
    for (let node = leaf >> 1; node > 0; node >>= 1) most = Math.max(most, this.#whole[node] as number);
    return most;
  }

  #leaf(at: number): number {
    const step = Math.floor((at - this.#left) / this.#step);
    return this.#leaves + Math.max(0, Math.min(this.#leaves - 1, step));
  }
}
