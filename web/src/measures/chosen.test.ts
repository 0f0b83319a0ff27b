import { columnFromArray, int32, list, utf8 } from "@uwdata/flechette";
import { describe, expect, it } from "vitest";
import { codesOfTexts, evenLists } from "../record/raw";
import type { ColumnLike } from "../record/table";
import { inOrder, marksOf, Ordered, ofSelection, remembered, restOf } from "./chosen";
import { confusionOf } from "./confusion";
import { highest, lossBins, madeByWorst, worstOf } from "./loss";
import { densityOf } from "./lossdensity";
import { orderOf } from "./order";
import { hypergeometricTail } from "./pairs";
import { logGamma } from "./student";
import { codesOf, packed, tally } from "./tally";

/** Numbers between 0 and 1, the same every time. */
function drawn(count: number, seed: number): number[] {
  let state = seed;
  return Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  });
}

const COUNT = 500;
const losses = Float64Array.from(drawn(COUNT, 1), (one, row) =>
  row % 17 === 0 ? Number.NaN : row % 41 === 0 ? Number.POSITIVE_INFINITY : Math.round(20 * one) / 4,
);
const subsets = [0, 1, 3, 40, 300, 450, COUNT - 1, COUNT].map((size) =>
  Uint32Array.from(orderOf(Float64Array.from(drawn(COUNT, size + 2))).subarray(0, size)).sort(),
);

describe.each(subsets.map((rows) => [rows.length, rows] as const))("a selection of %i", (_, rows) => {
  const plain = [...rows].filter((row) => Number.isFinite(losses[row]));
  const sorted = [...plain].sort((a, b) => (losses[b] as number) - (losses[a] as number) || a - b);

  it("has marks where its rows are", () => {
    expect([...marksOf(rows, COUNT).keys()].filter((row) => marksOf(rows, COUNT)[row] === 1)).toEqual([...rows]);
  });

  it("is counted by its rest where that is few", () => {
    const chosen = new Set(rows);
    const others = [...new Array(COUNT).keys()].filter((row) => !chosen.has(row));
    const few = others.length > 0 && others.length < (3 / 8) * COUNT;
    expect(restOf(rows, COUNT)).toEqual(few ? Uint32Array.from(others) : null);
  });

  it("is in the order of all as if it had been sorted", () => {
    const order = orderOf(losses, true);
    expect([...inOrder(order, rows, COUNT)].filter((row) => Number.isFinite(losses[row]))).toEqual(sorted);
    expect([...highest(rows, losses)]).toEqual(sorted);
  });

  it("is found in that order as far as someone looks", () => {
    const order = orderOf(losses, true);
    const whole = [...inOrder(order, rows, COUNT)];
    const lazy = new Ordered(order, rows, COUNT);
    const some = Math.min(3, rows.length);
    expect([...lazy.first(some)]).toEqual(whole.slice(0, some));
    expect(lazy.at(rows.length - 1)).toBe(whole.at(-1) ?? -1);
    expect([lazy.at(0), lazy.at(rows.length), lazy.length]).toEqual([whole[0] ?? -1, -1, rows.length]);
    expect([...lazy.first(COUNT)]).toEqual(whole);
  });

  it("is counted by code, few or many, and again only where it was not counted", () => {
    for (const size of [7, 5000]) {
      const codes = codesOf(
        Int32Array.from(drawn(COUNT, size), (one) => Math.floor(one * (size + 1)) - 1),
        size,
      );
      const plain = new Uint32Array(size + 1);
      for (const row of rows) plain[codes[row] as number] = (plain[codes[row] as number] as number) + 1;
      expect(tally(rows, codes, size + 1)).toEqual(plain);
      expect(tally(rows, packed(codes, size + 1), size + 1)).toEqual(plain);
      expect(tally(rows, codes, size + 1)).toBe(tally(rows, codes, size + 1));
      expect(tally(rows.slice(), codes, size + 1)).not.toBe(tally(rows, codes, size + 1));
    }
  });

  it("has its worst, and their part of the loss", () => {
    const found = worstOf(rows, losses, 0.05, 7);
    expect([...found.rows]).toEqual(sorted.slice(0, 7));
    const made = madeByWorst(Uint32Array.from(sorted), losses, 0.05);
    const total = sorted.reduce((sum, row) => sum + (losses[row] as number), 0);
    const part = sorted
      .slice(0, Math.ceil(0.05 * sorted.length))
      .reduce((sum, row) => sum + (losses[row] as number), 0);
    if (total === 0) expect([found.part, made]).toEqual([null, null]);
    else for (const one of [found.part, made]) expect(one).toBeCloseTo(part / total, 12);
  });

  it("counts its losses as one by one", () => {
    const bins = lossBins(losses, rows, 9);
    const finite = [...losses].filter(Number.isFinite);
    expect(bins.reduce((sum, bin) => sum + bin.count, 0)).toBe(finite.length);
    bins.forEach((bin, at) => {
      const low = at === 0 ? Number.NEGATIVE_INFINITY : bin.low;
      expect(bin.part).toBe(
        plain.filter((row) => (losses[row] as number) >= low && (losses[row] as number) < bin.high).length,
      );
    });
    const across = Float32Array.from(drawn(COUNT, 9), (one, row) => (row % 13 === 0 ? Number.NaN : one));
    const density = densityOf(rows, across, losses, 4, 5);
    expect(density.count).toBe(plain.filter((row) => !Number.isNaN(across[row])).length);
    expect(density.counts.reduce((sum, one) => sum + one, 0)).toBe(density.count);
  });

  it("counts its cells as one by one, of any number of classes", () => {
    for (const classes of [3, 5000]) {
      const targets = Int32Array.from(drawn(COUNT, 3), (one) => Math.floor(one * (classes + 1)) - 1);
      const predictions = Int32Array.from(drawn(COUNT, 4), (one) => Math.floor(one * (classes + 1)) - 1);
      const counts = new Map<string, number>();
      for (const row of rows) {
        if ((targets[row] as number) < 0 || (predictions[row] as number) < 0) continue;
        const key = `${targets[row]} ${predictions[row]}`;
        counts.set(key, (counts.get(key) ?? 0) + 1);
      }
      const cells = confusionOf(rows, { targets, predictions }, classes);
      expect(
        new Map(Array.from(cells.counts, (count, at) => [`${cells.rows[at]} ${cells.columns[at]}`, count])),
      ).toEqual(counts);
      const codes = Array.from(cells.rows, (row, at) => row * classes + (cells.columns[at] as number));
      expect(codes).toEqual([...codes].sort((a, b) => a - b));
    }
  });
});

it("makes again only what it was not asked last", () => {
  let made = 0;
  const ask = remembered((column: object, factor: number) => ({ column, value: ++made * factor }));
  const [one, other] = [{}, {}];
  expect(ask(one, 2)).toBe(ask(one, 2));
  expect(ask(other, 2)).not.toBe(ask(one, 2));
  expect(ask(one, 3).value).toBe(9);
  expect(made).toBe(3);
});

it("keeps what was made of a selection for each column, and makes it again for other settings", () => {
  let made = 0;
  const ask = ofSelection((rows, column: Int32Array, factor: number) => rows.length + column.length + factor + ++made);
  const [rows, one, other] = [Uint32Array.of(0), Int32Array.of(0), Int32Array.of(0)];
  const found = [ask(rows, one, 1), ask(rows, other, 1), ask(rows, one, 1), ask(rows, other, 1)];
  expect(found).toEqual([4, 5, 4, 5]);
  expect([ask(rows, one, 2), ask(Uint32Array.of(0), one, 2)]).toEqual([7, 8]);
});

it("has the tail of the hypergeometric distribution as its sum", () => {
  const choose = (of: number, take: number) => logGamma(of + 1) - logGamma(take + 1) - logGamma(of - take + 1);
  for (const [drawnMany, all, population] of [
    [10, 5, 40],
    [60, 200, 900],
    [3, 3, 6],
    [50, 900, 1000],
  ] as const) {
    for (let marked = 0; marked <= Math.min(drawnMany, all) + 1; marked++) {
      let sum = 0;
      for (let hits = Math.max(marked, drawnMany + all - population, 0); hits <= Math.min(drawnMany, all); hits++)
        sum += Math.exp(choose(all, hits) + choose(population - all, drawnMany - hits) - choose(population, drawnMany));
      const found = hypergeometricTail(marked, drawnMany, all, population);
      expect(Math.abs(found - Math.min(1, sum))).toBeLessThan(1e-9);
      if (sum > 0 && sum < 0.1) expect(found / sum).toBeCloseTo(1, 8);
    }
  }
});

describe("columns read from Arrow's buffers", () => {
  const like = (column: unknown) => column as ColumnLike;

  it("have the texts and their places", () => {
    const texts = Array.from(
      { length: 300 },
      (_, row) => ["phone", "ä", "", "phon", "phones"][(row * row) % 5] as string,
    );
    const found = codesOfTexts(like(columnFromArray(texts, utf8())));
    expect(found?.values).toEqual([...new Set(texts)]);
    expect(Array.from(found?.codes ?? [], (code) => found?.values[code])).toEqual(texts);
  });

  it("are read one by one where they have nulls, or are many or long", () => {
    expect(codesOfTexts(like(columnFromArray(["a", null, "b"], utf8())))).toBeNull();
    expect(
      codesOfTexts(
        like(
          columnFromArray(
            Array.from({ length: 5000 }, (_, row) => `t${row}`),
            utf8(),
          ),
        ),
      ),
    ).toBeNull();
    expect(codesOfTexts(like(columnFromArray(["x".repeat(65)], utf8())))).toBeNull();
    expect(codesOfTexts(like(columnFromArray([1, 2, 3])))).toBeNull();
  });

  it("have lists side by side where all are of one length", () => {
    const lists = (values: number[][]) => like(columnFromArray(values, list(int32())));
    const found = evenLists(
      lists([
        [1, 2],
        [3, 4],
      ]),
      Int32Array,
    );
    expect([found?.width, ...(found?.values ?? [])]).toEqual([2, 1, 2, 3, 4]);
    expect(evenLists(lists([[1, 2], [3]]), Int32Array)).toBeNull();
    expect(
      evenLists(
        lists([
          [1, 2],
          [3, 4],
        ]),
        Float32Array,
      ),
    ).toBeNull();
    expect(evenLists(null, Int32Array)).toBeNull();
  });
});

it("packs codes into as few bytes as their number needs", () => {
  for (const [size, made] of [
    [256, Uint8Array],
    [257, Uint16Array],
    [1 << 16, Uint16Array],
    [(1 << 16) + 1, Int32Array],
  ] as const) {
    const codes = Int32Array.of(0, 1, size - 1);
    expect(packed(codes, size)).toBeInstanceOf(made);
    expect([...packed(codes, size)]).toEqual([...codes]);
  }
});
