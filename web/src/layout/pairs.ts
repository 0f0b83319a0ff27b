/** Numbers pairs of integers in the order in which they come, without an object or a string for each. */
export class PairTable {
  #keys: Int32Array;
  #slots: Int32Array;
  #mask: number;
  size = 0;

  constructor(expected = 64) {
    let capacity = 16;
    while (capacity < expected * 2) capacity *= 2;
    this.#keys = new Int32Array(capacity);
    this.#slots = new Int32Array(capacity).fill(-1);
    this.#mask = capacity - 1;
  }

  /** The number of a pair: a new one where it is not known. */
  at(first: number, second: number): number {
    const slot = this.#find(first, second);
    const known = this.#slots[slot] as number;
    if (known >= 0) return known;
    const index = this.size++;
    this.#slots[slot] = index;
    if (2 * index + 2 > this.#keys.length) this.#keys = grown(this.#keys);
    this.#keys[2 * index] = first;
    this.#keys[2 * index + 1] = second;
    if (this.size * 2 > this.#mask) this.#rehash();
    return index;
  }

  /** The number of a pair; -1 where it is not known. */
  get(first: number, second: number): number {
    return this.#slots[this.#find(first, second)] as number;
  }

  first(index: number): number {
    return this.#keys[2 * index] as number;
  }

  second(index: number): number {
    return this.#keys[2 * index + 1] as number;
  }

  #find(first: number, second: number): number {
    const keys = this.#keys;
    for (let slot = mix(first, second) & this.#mask; ; slot = (slot + 1) & this.#mask) {
      const index = this.#slots[slot] as number;
      if (index < 0 || (keys[2 * index] === first && keys[2 * index + 1] === second)) return slot;
    }
  }

  #rehash(): void {
    this.#mask = this.#mask * 2 + 1;
    this.#slots = new Int32Array(this.#mask + 1).fill(-1);
    for (let index = 0; index < this.size; index++)
      this.#slots[this.#find(this.first(index), this.second(index))] = index;
  }
}

/** Spreads a pair of integers over 32 bits. */
export function mix(first: number, second: number): number {
  let hash = Math.imul(first ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(second + 0x7f4a7c15, 0xc2b2ae35);
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
  hash = Math.imul(hash ^ (hash >>> 12), 0x297a2d39);
  return (hash ^ (hash >>> 15)) >>> 0;
}

export function grown(array: Int32Array): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(array.length * 2);
  larger.set(array);
  return larger;
}

/** Integers without end, in one typed array. */
export class Integers {
  #values: Int32Array<ArrayBuffer>;
  length = 0;

  constructor(expected = 64) {
    this.#values = new Int32Array(Math.max(16, expected));
  }

  push(value: number): number {
    if (this.length === this.#values.length) this.#values = grown(this.#values);
    this.#values[this.length] = value;
    return this.length++;
  }

  at(index: number): number {
    return this.#values[index] as number;
  }

  set(index: number, value: number): void {
    this.#values[index] = value;
  }

  /** A copy of exactly what was pushed. */
  taken(): Int32Array {
    return this.#values.slice(0, this.length);
  }
}
