import { describe, expect, it } from "vitest";
import { cells, cellsOf, names } from "../../../tests/support/confused";
import type { Cells } from "./matrix";
import { type Ordering, order } from "./order";

describe("order", () => {
  const every = [0, 1, 2, 3, 4, 5];
  const placed = (mode: Ordering, of: Cells = cells) => [...order(mode, names.slice(0, of.size), of)];

  for (const mode of ["index", "name", "frequency", "similarity"] as const) {
    it(`by ${mode} holds each class once`, () => {
      expect(placed(mode).sort((a, b) => a - b)).toEqual(every);
    });
  }

  it("by name reads numbers as numbers", () => {
    expect(placed("name").map((index) => names[index])).toEqual([
      "Adder",
      "ape",
      "class 2",
      "class 9",
      "class 10",
      "zebra",
    ]);
  });

  it("by frequency puts the class with most examples first, equal ones as in the model", () => {
    expect(placed("frequency")).toEqual([0, 1, 4, 2, 3, 5]);
  });

  it("by similarity puts classes that are taken for one another side by side", () => {
    const at = placed("similarity");
    for (const [one, other] of [
      [0, 4],
      [1, 2],
    ] as const)
      expect(Math.abs(at.indexOf(one) - at.indexOf(other)), `${one} and ${other} in ${at}`).toBe(1);
  });

  it("by similarity turns chains so that their confused ends meet", () => {
    // Pairs (0, 1) and (2, 3) are strongest, and 0 is taken for 3: the only order is 1 0 3 2, or its mirror.
    const chained = cellsOf([
      [1, 9, 0, 4],
      [0, 1, 0, 0],
      [0, 0, 1, 8],
      [0, 0, 0, 1],
    ]);
    expect(["1032", "2301"]).toContain(placed("similarity", chained).join(""));
  });
});
