import { columnFromArray, tableFromColumns } from "@uwdata/flechette";
import { describe, expect, it } from "vitest";
import { Examples } from "../record/examples";
import { selectRows } from "./filter";
import { EMPTY, type Selection } from "./selection";

const table = tableFromColumns({
  row: columnFromArray([0, 1, 2, 3, 4]),
  id: columnFromArray(["a", "b", "c", "d", "e"]),
  target: columnFromArray([0, 0, 1, 1, null]),
  prediction: columnFromArray([0, 1, 1, 0, 1]),
  loss: columnFromArray([0.1, 2, 0.5, null, 1]),
  confidence: columnFromArray([0.9, 0.8, 0.7, 0.6, 0.5]),
  group: columnFromArray(["x", "y", null, "x", "1..2"]),
  size: columnFromArray([-2.5, 0, null, 1, 2]),
});
const examples = new Examples(table);
const select = (patch: Partial<Selection>) => [...selectRows(examples, { ...EMPTY, ...patch })];

describe("selecting rows", () => {
  it("holds everything when nothing is set", () => {
    expect(select({})).toEqual([0, 1, 2, 3, 4]);
  });

  it("takes a confusion cell, its row, its column, and a class either way", () => {
    expect(select({ true: [0], predicted: [1] })).toEqual([1]);
    expect(select({ true: [1] })).toEqual([2, 3]);
    expect(select({ predicted: [1] })).toEqual([1, 2, 4]);
    expect(select({ class: [0] })).toEqual([0, 1, 3]);
    expect(select({ true: [0, 1] })).toEqual([0, 1, 2, 3]);
  });

  it("leaves examples without target out of right and wrong", () => {
    expect(select({ outcome: "right" })).toEqual([0, 2]);
    expect(select({ outcome: "wrong" })).toEqual([1, 3]);
  });

  it("closes ranges at both ends and puts what is not defined in none", () => {
    expect(select({ losses: { low: 0.5, high: 2 } })).toEqual([1, 2, 4]);
    expect(select({ losses: { low: 0, high: Number.POSITIVE_INFINITY } })).toEqual([0, 1, 2, 4]);
    expect(select({ confidences: { low: 0.6, high: 0.7 } })).toEqual([2, 3]);
  });

  it("takes listed rows once, in order, and only those that exist", () => {
    expect(select({ rows: [3, 1, 3, 99] })).toEqual([1, 3]);
    expect(select({ rows: [] })).toEqual([]);
  });

  it("takes values of columns that came along; null is the empty text", () => {
    expect(select({ columns: { group: "x" } })).toEqual([0, 3]);
    expect(select({ columns: { group: "" } })).toEqual([2]);
    expect(select({ columns: { group: "z" } })).toEqual([]);
    expect(select({ columns: { absent: "x" } })).toEqual([]);
  });

  it("takes ranges of columns of numbers, closed at both ends; of text the same words are a value", () => {
    expect(select({ columns: { size: "-2.5..1" } })).toEqual([0, 1, 3]);
    expect(select({ columns: { size: "0..Infinity" } })).toEqual([1, 3, 4]);
    expect(select({ columns: { size: "3..1" } })).toEqual([]);
    expect(select({ columns: { group: "1..2" } })).toEqual([4]);
  });

  it("takes several classes, either way, and several lists at once", () => {
    expect(select({ class: [0, 1] })).toEqual([0, 1, 2, 3, 4]);
    expect(select({ class: [7] })).toEqual([]);
    expect(select({ true: [7] })).toEqual([]);
    expect(select({ true: [1], predicted: [1], outcome: "right" })).toEqual([2]);
    expect(select({ true: [0], outcome: "wrong", rows: [1, 0, 4] })).toEqual([1]);
    expect(select({ outcome: "wrong", columns: { group: "x" }, losses: { low: 0, high: 9 } })).toEqual([]);
  });

  it("leaves a selection as it was when another one is made", () => {
    const before = selectRows(examples, { ...EMPTY, losses: { low: 0.5, high: 2 } });
    select({ confidences: { low: 0.5, high: 0.6 } });
    expect([...before]).toEqual([1, 2, 4]);
  });

  it("joins its parts", () => {
    expect(select({ predicted: [1], columns: { group: "y" }, losses: { low: 1.5, high: 9 } })).toEqual([1]);
    expect(select({ predicted: [1], columns: { size: "0..2" } })).toEqual([1, 4]);
  });
});

describe("the examples table", () => {
  it("reads missing numbers as not defined, never as zero", () => {
    expect([...examples.targets]).toEqual([0, 0, 1, 1, -1]);
    expect(examples.losses[3]).toBeNaN();
    expect(examples.right(4)).toBeNull();
  });

  it("refuses rows out of place", () => {
    const altered = tableFromColumns({ row: columnFromArray([0, 2]), id: columnFromArray(["a", "b"]) });
    expect(() => new Examples(altered)).toThrow(/row 2 where row 1 belongs/);
  });
});
