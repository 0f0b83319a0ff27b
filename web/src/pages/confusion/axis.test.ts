import { describe, expect, it } from "vitest";
import { cells, cellsOf, nameOf, names, TABLE } from "../../../tests/support/confused";
import { classAxis, classesIn, conceptAxis, gathered, spanOf } from "./axis";
import { margins } from "./matrix";
import { order } from "./order";
import { frontier, gravityOf, kindsOf, treeOf, treeOrder } from "./tree";

const PANEL = {
  // animal: zebra, Adder, ape; class: 10, 9; class 2 stands alone.
  names: ["animal", "zebra", "snake", "Adder", "ape", "class", "class 10", "class 9", "class 2"],
  parents: [-1, 0, 0, 2, 0, -1, 5, 5, -1],
  classes: [-1, 2, -1, 3, 5, -1, 0, 1, 4],
};
const tree = treeOf(PANEL as unknown as Parameters<typeof treeOf>[0]);

describe("the hierarchy", () => {
  it("knows the kinds of a concept, and puts every class in its order", () => {
    expect([...kindsOf(tree, 0)]).toEqual([2, 3, 5]);
    expect([...kindsOf(tree, 5)]).toEqual([0, 1]);
    expect([...treeOrder(tree)]).toEqual([2, 3, 5, 0, 1, 4]);
    expect(tree.deepest).toBe(1);
  });

  it("opens to a depth, and single concepts against it", () => {
    expect(frontier(tree, 0, new Set())).toEqual([0, 5, 8]);
    expect(frontier(tree, 1, new Set())).toEqual([1, 2, 4, 6, 7, 8]);
    expect(frontier(tree, 0, new Set([5]))).toEqual([0, 6, 7, 8]);
    expect(frontier(tree, 1, new Set([0]))).toEqual([0, 6, 7, 8]);
    expect(frontier(tree, 9, new Set())).toEqual([1, 3, 4, 6, 7, 8]);
  });
});

describe("how grave mistakes are", () => {
  // Heights: animal 2 (zebra, snake > Adder, ape), class 1 (10, 9), class 2 alone; nothing includes all, which weighs 3.
  const heights = [
    [0, 1, 3, 3, 3, 3],
    [1, 0, 3, 3, 3, 3],
    [3, 3, 0, 2, 3, 2],
    [3, 3, 2, 0, 3, 2],
    [3, 3, 3, 3, 0, 3],
    [3, 3, 2, 2, 3, 0],
  ];

  it("is the height at which both classes meet, over all mistakes, beside what chance would weigh", () => {
    let [mistakes, weight, expected] = [0, 0, 0];
    TABLE.forEach((line, row) => {
      line.forEach((count, column) => {
        if (row === column) return;
        mistakes += count;
        weight += count * (heights[row]?.[column] ?? 0);
        expected += (count * (heights[row] ?? []).reduce((sum, one) => sum + one, 0)) / 5;
      });
    });
    const found = gravityOf(tree, cells);
    expect(found).toMatchObject({ mistakes, highest: 3 });
    expect(found.mean).toBeCloseTo(weight / mistakes, 12);
    expect(found.chance).toBeCloseTo(expected / mistakes, 12);
  });

  it("is not defined without mistakes", () => {
    expect(gravityOf(tree, cellsOf([[4]]))).toMatchObject({ mistakes: 0, mean: null, chance: null });
  });
});

describe("axes", () => {
  const folded = conceptAxis(tree, 0, new Set(), 6, nameOf);

  it("fold counts without losing any", () => {
    const found = gathered(cells, folded);
    expect(folded.entries.map((entry) => entry.name)).toEqual(["animal (3)", "class (2)", "class 2"]);
    const dense = Array.from({ length: 3 }, (_, row) =>
      Array.from({ length: 3 }, (_, column) => {
        let sum = 0;
        TABLE.forEach((line, true_) => {
          line.forEach((count, predicted) => {
            if (folded.of[true_] === row && folded.of[predicted] === column) sum += count;
          });
        });
        return sum;
      }),
    );
    const sparse = Array.from({ length: 3 }, () => [0, 0, 0]);
    found.counts.forEach((count, cell) => {
      (sparse[found.rows[cell] as number] as number[])[found.columns[cell] as number] = count;
    });
    expect(sparse).toEqual(dense);
    expect(margins(found).total).toBe(43);
  });

  it("put what a subset leaves out into a row of its own", () => {
    const axis = classAxis(Int32Array.of(1, 2), 6, nameOf);
    expect(axis.entries.at(-1)).toMatchObject({ name: "other (4 classes)", other: true });
    const found = gathered(cells, axis);
    expect(margins(found).total).toBe(43);
    expect(margins(found).rows[2]).toBe(24);
  });

  it("add up margins of their own, which rows of sets of classes bring", () => {
    const own = { rows: Float64Array.of(5, 4, 3, 0, 2, 1), columns: Float64Array.of(1, 2, 3, 4, 5, 6), total: 9 };
    const found = margins(gathered({ ...cells, margins: own }, classAxis(Int32Array.of(1, 2), 6, nameOf)));
    expect([...found.rows]).toEqual([4, 3, 8]);
    expect([...found.columns]).toEqual([2, 3, 16]);
    expect(found.total).toBe(9);
    expect([...order("frequency", names, { ...cells, margins: own })]).toEqual([0, 1, 2, 4, 5, 3]);
  });

  it("tell which places stand for the chosen classes", () => {
    const order = Int32Array.of(1, 0, 2);
    expect(spanOf(folded, order, [0, 1])).toEqual([0, 0]);
    expect(spanOf(folded, order, [0, 1, 2, 3, 5])).toEqual([0, 1]);
    expect(spanOf(folded, order, [0])).toBeNull();
    expect(spanOf(folded, order, [0, 1, 4])).toBeNull();
    expect(spanOf(folded, order, [])).toBeNull();
    expect(classesIn(folded, order, 0, 1)).toEqual([0, 1, 2, 3, 5]);
  });
});
