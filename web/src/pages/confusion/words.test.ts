import { describe, expect, it } from "vitest";
import { nameOf } from "../../../tests/support/confused";
import { classAxis } from "./axis";
import { againstChance, caption, cellWords, rightOf, sideOf } from "./words";

describe("words", () => {
  // Of 10 examples with class 0, 8 have it called and 2 miss it, with 3 classes called in its place: 14 in its row.
  const axis = classAxis(Int32Array.of(0, 1, 5), 6, nameOf);
  const side = (place: number, sum: number) => sideOf(axis.entries[place], sum, 5);

  it("give a class of several the recall of its examples, and none to groups and to nothing", () => {
    expect(rightOf(8, side(0, 10), true)).toBeCloseTo(0.8, 12);
    expect(rightOf(0, side(2, 10), true)).toBeNull();
    expect(rightOf(8, side(3, 10), true)).toBeNull();
    expect(rightOf(8, side(3, 10), false)).toBeCloseTo(0.8, 12);
    expect(rightOf(0, side(0, 0), false)).toBeNull();
  });

  it("say of a cell what it counts", () => {
    expect(cellWords(2, side(0, 10), side(1, 12), false, false)).toEqual([
      "class 10 taken for class 9",
      "2 of 10 class 10 (20.0%)",
      "of 12 predicted class 9",
    ]);
    expect(cellWords(2, side(0, 10), side(1, 12), false, true)).toEqual([
      "class 10 missed, class 9 called in its place",
      "2 of 10 examples of class 10 (20.0%)",
      "of 12 called class 9",
    ]);
    expect(cellWords(2, side(2, 4), side(1, 12), false, true).slice(0, 2)).toEqual([
      "class 9 called, nothing missed",
      "2 of 4 examples with something called and nothing missed (50.0%)",
    ]);
    expect(cellWords(9, side(3, 4), side(3, 12), true, true).join()).not.toMatch(/%|recognised/);
  });

  it("name only the margins that are drawn, and no row's share where rows do not add up", () => {
    expect(caption(false, true, false)).toMatch(/recall, the share of a row/);
    expect(caption(false, true, false)).not.toMatch(/precision/);
    expect(caption(true, true, true)).not.toMatch(/share of a (row|column)/);
    expect(caption(true, true, true)).toMatch(/several cells/);
  });

  it("doubt a pair that is more frequent than by chance, and deny it only where it is not", () => {
    const pair = (count: number, expected: number, p_value: number) => againstChance({ count, expected, p_value });
    expect(pair(5, 0.341, 0.0234)).toBe("0.34 would be expected by chance; not beyond doubt (p = 0.023)");
    expect(pair(9, 0.341, 0.00991)).toBe("0.34 would be expected by chance");
    expect(pair(3, 0.02, 0.2)).toBe("less than 0.1 would be expected by chance; not beyond doubt (p = 0.20)");
    expect(pair(3, 3, 1)).toBe("no more often than by chance");
    expect(pair(3, 4.2, 1)).toBe("no more often than by chance");
  });
});
