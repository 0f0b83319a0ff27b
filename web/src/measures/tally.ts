/** How many of the selected examples have each code: the one loop that every whole number of a selection comes from. */
import { ofSelection, remembered } from "./chosen";
import { ofMost } from "./remaining";

/** A code for every example of the record, each from 0 up to below a size; what has none has a code of its own. */
export type Codes = Uint8Array | Uint16Array | Int32Array;

/** Counters of fewer codes than this are kept twice, so that two equal codes in turn need not wait for one another. */
const FEW = 4096;

/** Counts by code; made once for a selection and a column of codes. Of most rows it is what all have, less what the rest have. */
export const tally = ofSelection((rows, codes: Codes, size: number): Uint32Array => {
  return ofMost(
    rows,
    codes.length,
    (some) => (size < FEW ? countedTwice(some, codes, size) : counted(some, codes, size)),
    (every) => tally(every, codes, size),
    (all, rest) => all.map((count, code) => count - (rest[code] as number)),
  );
});

/** Values as codes from 0 up to below `size`; others are `size`. The values themselves where there are no others. */
export const codesOf = remembered((values: Int32Array, size: number): Int32Array => {
  const within = (value: number) => value >= 0 && value < size;
  return values.every(within) ? values : values.map((value) => (within(value) ? value : size));
});

/** The same codes in as few bytes as they need: most of what a tally takes is reading them. */
export function packed(codes: Int32Array, size: number): Codes {
  return size <= 1 << 8 ? new Uint8Array(codes) : size <= 1 << 16 ? new Uint16Array(codes) : codes;
}

function counted(rows: Uint32Array, codes: Codes, size: number): Uint32Array {
  const counts = new Uint32Array(size);
  for (let place = 0; place < rows.length; place++) {
    const code = codes[rows[place] as number] as number;
    counts[code] = (counts[code] as number) + 1;
  }
  return counts;
}

function countedTwice(rows: Uint32Array, codes: Codes, size: number): Uint32Array {
  const counts = new Uint32Array(size);
  const others = new Uint32Array(size);
  const even = rows.length & ~1;
  for (let place = 0; place < even; place += 2) {
    const code = codes[rows[place] as number] as number;
    const other = codes[rows[place + 1] as number] as number;
    counts[code] = (counts[code] as number) + 1;
    others[other] = (others[other] as number) + 1;
  }
  if (even < rows.length) {
    const code = codes[rows[even] as number] as number;
    counts[code] = (counts[code] as number) + 1;
  }
  for (let code = 0; code < size; code++) counts[code] = (counts[code] as number) + (others[code] as number);
  return counts;
}
