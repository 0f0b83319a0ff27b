/** The order of a million values in a few passes: radix sort on the bits, 16 at a time. */

import { remembered } from "./chosen";

const DIGITS = 1 << 16;
const LAST = 0xffffffff;

/** Positions in the order of the values; stable; what is NaN comes last either way. */
export function orderOf(values: Float64Array, descending = false): Uint32Array {
  const count = values.length;
  // Adding 0 makes one value of -0 and 0.
  const plain = Float64Array.from(values, (value) => value + 0);
  const words = new Uint32Array(plain.buffer);
  const keys: [Uint32Array, Uint32Array] = [new Uint32Array(count), new Uint32Array(count)];
  for (let place = 0; place < count; place++) {
    const low = words[2 * place] as number;
    const high = words[2 * place + 1] as number;
    const missing = Number.isNaN(plain[place] as number);
    // The bits of floats sort like the floats, once the negative ones are flipped whole and the others get the sign.
    const negative = high >>> 31 === 1;
    const ascendingLow = negative ? ~low : low;
    const ascendingHigh = negative ? ~high : high ^ 0x80000000;
    keys[0][place] = missing ? LAST : descending ? ~ascendingLow : ascendingLow;
    keys[1][place] = missing ? LAST : descending ? ~ascendingHigh : ascendingHigh;
  }
  return radix(keys, count);
}

/** The same, made once for a column that lives as long as the record. */
export const orderOnce = remembered((values: Float64Array | Float32Array | Int32Array, descending: boolean) =>
  orderOf(Float64Array.from(values), descending),
);

function radix(keys: readonly Uint32Array[], count: number): Uint32Array {
  let order = new Uint32Array(count);
  let next = new Uint32Array(count);
  for (let place = 0; place < count; place++) order[place] = place;
  const starts = new Uint32Array(DIGITS);
  for (const key of keys) {
    for (const shift of [0, 16]) {
      starts.fill(0);
      for (let place = 0; place < count; place++) {
        const digit = ((key[place] as number) >>> shift) & (DIGITS - 1);
        starts[digit] = (starts[digit] as number) + 1;
      }
      let sum = 0;
      for (let digit = 0; digit < DIGITS; digit++) {
        const many = starts[digit] as number;
        starts[digit] = sum;
        sum += many;
      }
      for (let place = 0; place < count; place++) {
        const position = order[place] as number;
        const digit = ((key[position] as number) >>> shift) & (DIGITS - 1);
        const start = starts[digit] as number;
        next[start] = position;
        starts[digit] = start + 1;
      }
      [order, next] = [next, order];
    }
  }
  return order;
}
