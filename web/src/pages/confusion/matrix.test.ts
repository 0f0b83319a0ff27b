import { describe, expect, it } from "vitest";
import { confusionOf } from "../../measures/confusion";
import { classAxis, classesIn, conceptAxis, gathered, spanOf } from "./axis";
import { binned } from "./bins";
import {
  type Cells,
  cellAt,
  denominator,
  difference,
  drawnCells,
  margins,
  mostConfused,
  type Normalisation,
  tone,
} from "./matrix";
import { type Ordering, order } from "./order";
import { frontier, gravityOf, kindsOf, treeOf, treeOrder } from "./tree";
import { around, fitted, kept, showing, zoomed } from "./window";
import { caption, cellWords, rightOf, sideOf } from "./words";

/** Sparse cells of a dense table, rows true, columns predicted. */
function cellsOf(table: readonly (readonly number[])[]): Cells {
  const targets: number[] = [];
  const predictions: number[] = [];
  table.forEach((line, row) => {
    line.forEach((count, column) => {
      for (let one = 0; one < count; one++) {
        targets.push(row);
        predictions.push(column);
      }
    });
  });
  const answers = { targets: Int32Array.from(targets), predictions: Int32Array.from(predictions) };
  const rows = Uint32Array.from(targets, (_, row) => row);
  return { size: table.length, ...confusionOf(rows, answers, table.length) };
}

// Class 0 and 4 are taken for one another, class 3 is never true, class 5 neither true nor predicted.
const TABLE = [
  [8, 0, 1, 0, 5, 0],
  [0, 9, 2, 1, 0, 0],
  [0, 3, 4, 0, 0, 0],
  [0, 0, 0, 0, 0, 0],
  [4, 0, 0, 0, 6, 0],
  [0, 0, 0, 0, 0, 0],
] as const;
const cells = cellsOf(TABLE);
const names = ["class 10", "class 9", "zebra", "Adder", "class 2", "ape"];

describe("margins", () => {
  it("add up rows, columns and all", () => {
    const { rows, columns, total } = margins(cells);
    expect([...rows]).toEqual([14, 12, 7, 0, 10, 0]);
    expect([...columns]).toEqual([12, 12, 7, 1, 11, 0]);
    expect(total).toBe(43);
  });
});

describe("dividing", () => {
  const sums = margins(cells);
  const divided = (mode: Normalisation) =>
    Array.from(cells.counts, (count, index) => {
      const row = cells.rows[index] as number;
      const column = cells.columns[index] as number;
      return { row, column, value: count / (denominator(mode, row, column, sums) ?? Number.NaN) };
    });
  const added = (values: readonly { value: number }[]) => values.reduce((sum, one) => sum + one.value, 0);

  it("by true class makes every row add up to 1", () => {
    for (const row of [0, 1, 2, 4]) expect(added(divided("true").filter((one) => one.row === row))).toBeCloseTo(1, 12);
  });

  it("by predicted class makes every column add up to 1", () => {
    for (const column of [0, 1, 2, 3, 4])
      expect(added(divided("predicted").filter((one) => one.column === column))).toBeCloseTo(1, 12);
  });

  it("by all makes the matrix add up to 1, and counts stay counts", () => {
    expect(added(divided("all"))).toBeCloseTo(1, 12);
    expect(added(divided("counts"))).toBe(43);
  });

  it("is not defined where there is nothing to divide by", () => {
    expect(denominator("true", 3, 0, sums)).toBeNull();
    expect(denominator("predicted", 0, 5, sums)).toBeNull();
    expect(denominator("all", 0, 0, margins(cellsOf([[0]])))).toBeNull();
  });
});

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

describe("the most confused classes", () => {
  it("are both ends of the heaviest mistakes, in order of index", () => {
    expect([...mostConfused(cells, 2)]).toEqual([0, 4]);
    expect([...mostConfused(cells, 4)]).toEqual([0, 1, 2, 4]);
  });

  it("are those that are confused at all where fewer are than asked for", () => {
    expect([...mostConfused(cells, 30)]).toEqual([0, 1, 2, 3, 4]);
  });

  it("are not those with most right answers, but where there is no mistake", () => {
    const sure = [
      [90, 0, 0],
      [0, 1, 2],
      [0, 0, 1],
    ];
    expect([...mostConfused(cellsOf(sure), 2)]).toEqual([1, 2]);
    const right = sure.map((line, row) => line.map((count, column) => (row === column ? count : 0)));
    expect([...mostConfused(cellsOf(right), 1)]).toEqual([0]);
  });

  // Class 0 is taken for each of 1 to 9 once, 10 for 11 twice, 12 for 13 once: most mistakes are of class 0.
  const scattered = cellsOf(
    Array.from({ length: 14 }, (_, row) =>
      Array.from({ length: 14 }, (_, column) =>
        row === 0 && column > 0 && column < 10
          ? 1
          : row === 10 && column === 11
            ? 2
            : row === 12 && column === 13
              ? 1
              : 0,
      ),
    ),
  );

  it("hold every pair that is listed, and no class without one that it is confused with", () => {
    expect([...mostConfused(scattered, 4, [{ true: 12, predicted: 13 }])]).toEqual([10, 11, 12, 13]);
    expect([...mostConfused(scattered, 3)]).toEqual([10, 11]);
    expect([...mostConfused(scattered, 5)]).toEqual([0, 1, 2, 10, 11]);
  });

  it("hold nothing, but not for what is missed without another in its place", () => {
    const sets = cellsOf([
      [3, 1, 0, 0],
      [0, 3, 0, 0],
      [0, 0, 2, 9],
      [0, 0, 0, 0],
    ]);
    expect([...mostConfused(sets, 3, [], 3)]).toEqual([0, 1, 3]);
  });
});

describe("counting many classes", () => {
  const CLASSES = 3000; // too many for a dense table
  let state = 5;
  const random = (below: number) => {
    state = (state * 48271) % 2147483647;
    return state % below;
  };
  const targets = Int32Array.from({ length: 4000 }, (_, row) => (row % 50 === 0 ? -1 : random(CLASSES)));
  const predictions = Int32Array.from(targets, (target, row) =>
    row % 70 === 0 ? -1 : row % 3 === 0 ? random(CLASSES) : Math.max(0, target),
  );
  const rows = Uint32Array.from(targets, (_, row) => row).filter((row) => row % 7 !== 0);

  it("finds what a map finds, in order of row and column", () => {
    const expected = new Map<string, number>();
    for (const row of rows) {
      const [target, prediction] = [targets[row] as number, predictions[row] as number];
      if (target < 0 || prediction < 0) continue;
      expected.set(`${target}/${prediction}`, (expected.get(`${target}/${prediction}`) ?? 0) + 1);
    }
    const found = confusionOf(rows, { targets, predictions }, CLASSES);
    expect(
      new Map(Array.from(found.counts, (count, cell) => [`${found.rows[cell]}/${found.columns[cell]}`, count])),
    ).toEqual(expected);
    const codes = Array.from(found.rows, (row, cell) => row * CLASSES + (found.columns[cell] as number));
    expect(codes).toEqual([...codes].sort((a, b) => a - b));
  });
});

const nameOf = (index: number) => names[index] ?? "";
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

describe("what is drawn", () => {
  const order = Int32Array.of(4, 0, 1, 2, 3, 5);
  const drawn = drawnCells(cells, margins(cells), order, "true");

  it("stands in its order, divided, and is found again", () => {
    expect(drawn.values[cellAt(drawn, 0, 0)]).toBeCloseTo(6 / 10, 12);
    expect(drawn.values[cellAt(drawn, 1, 0)]).toBeCloseTo(5 / 14, 12);
    expect(cellAt(drawn, 4, 4)).toBe(-1);
    expect(drawn.mostWrong).toBeCloseTo(3 / 7, 12);
    expect(drawn.mostRight).toBeCloseTo(9 / 12, 12);
    expect(tone(drawn, cellAt(drawn, 2, 2))).toBe(1);
  });

  it("takes an older model's cells away, value from value", () => {
    const past = cellsOf([
      [9, 0, 0, 0, 5, 0],
      [0, 9, 2, 1, 0, 0],
      [0, 3, 4, 0, 0, 0],
      [0, 0, 0, 0, 0, 0],
      [0, 0, 0, 2, 8, 0],
      [0, 0, 0, 0, 0, 0],
    ]);
    const index = Int32Array.of(0, 1, 2, 3, 4, 5);
    const signed = difference(
      drawnCells(cells, margins(cells), index, "true"),
      drawnCells(past, margins(past), index, "true"),
    );
    const value = (y: number, x: number) => signed.values[cellAt(signed, y, x)];
    expect(value(0, 0)).toBeCloseTo(-1 / 14, 12);
    expect(value(0, 2)).toBeCloseTo(1 / 14, 12);
    expect(value(4, 3)).toBeCloseTo(-0.2, 12);
    expect(value(1, 1)).toBeCloseTo(0, 12);
    expect(signed.counts[cellAt(signed, 4, 0)]).toBe(4);
    expect(signed.mostWrong).toBeCloseTo(0.4, 12);
    expect(tone(signed, cellAt(signed, 4, 0))).toBe(1);
    expect(tone(signed, cellAt(signed, 1, 1))).toBe(0.5);
    expect(tone(signed, cellAt(signed, 0, 0))).toBeLessThan(0.5);
  });

  it("leaves out what the order leaves out", () => {
    const few = drawnCells(cells, margins(cells), Int32Array.of(0, 4), "counts");
    expect([...few.counts]).toEqual([8, 5, 4, 6]);
  });

  it("tells what gathers the others by a scale of its own, paler than what is shown", () => {
    const axis = classAxis(Int32Array.of(1, 2), 6, nameOf);
    const few = gathered(cells, axis);
    const other = axis.entries.findIndex((entry) => entry.other);
    const index = Int32Array.of(0, 1, 2);
    const shown = drawnCells(few, margins(few), index, "counts", other);
    expect([shown.mostWrong, shown.mostRight, shown.mostApart]).toEqual([3, 9, 1]);
    expect(tone(shown, cellAt(shown, 1, 0))).toBe(1);
    for (const [y, x] of [
      [0, 2],
      [2, 1],
      [2, 2],
    ] as const)
      expect(tone(shown, cellAt(shown, y, x))).toBeLessThan(0.5);
    const apart = drawnCells(few, margins(few), index, "counts", 2);
    const signed = difference(apart, {
      ...apart,
      counts: apart.counts.map(() => 0),
      values: apart.values.map(() => 0),
    });
    expect([signed.mostWrong, signed.mostApart]).toEqual([9, 1]);
  });

  it("shows in each pixel the strongest mistake beneath it, and a right answer where there is none", () => {
    const whole = binned(drawn, { scale: 0.5, x: 0, y: 0 }, 3);
    expect(whole.side).toBe(3);
    const at = (y: number, x: number) => {
      const cell = whole.cells[y * 3 + x] as number;
      return cell < 0 ? null : [drawn.ys[cell], drawn.xs[cell]];
    };
    // Classes 4 and 0, 1 and 2, 3 and 5: 40% of class 4 are called 0, 3 of 7 of class 2 are called 1.
    expect(at(0, 0)).toEqual([0, 1]);
    expect(at(1, 1)).toEqual([3, 2]);
    expect(at(2, 2)).toBeNull();
    const near = binned(drawn, { scale: 2, x: 0, y: 0 }, 12);
    expect(near.cells.filter((cell) => cell >= 0).length).toBe(drawn.values.length);
  });
});

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
});

describe("the window", () => {
  it("holds all of the matrix, and no more", () => {
    const scale = fitted(1000, 500);
    expect(scale).toBe(0.5);
    expect(kept({ scale: 0.1, x: -5, y: 2000 }, 1000, 500)).toEqual({ scale: 0.5, x: 0, y: 0 });
    expect(kept({ scale: 100, x: 995, y: 3 }, 1000, 440)).toEqual({ scale: 44, x: 990, y: 3 });
  });

  it("comes nearer around a point", () => {
    const before = kept({ scale: 0.5, x: 0, y: 0 }, 1000, 500);
    const after = zoomed(before, 4, 100, 200, 1000, 500);
    expect(after.scale).toBe(2);
    expect(after.x + 100 / after.scale).toBeCloseTo(200, 9);
    expect(after.y + 200 / after.scale).toBeCloseTo(400, 9);
  });

  it("looks at a block, and follows a cell no farther than it must", () => {
    const block = around([100, 119], [300, 304], 1000, 440);
    expect(block.scale).toBeCloseTo(20, 9);
    expect(block.y).toBeLessThan(100);
    expect(block.y + 440 / block.scale).toBeGreaterThan(120);
    expect(showing(block, 110, 302, 1000, 440)).toEqual(block);
    const moved = showing(block, 130, 302, 1000, 440);
    expect(moved.x).toBe(block.x);
    expect(moved.y + 440 / moved.scale).toBeCloseTo(131, 9);
  });
});
