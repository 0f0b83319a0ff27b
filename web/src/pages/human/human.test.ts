import { describe, expect, it } from "vitest";
import type { Tensor } from "../../record/safetensors";
import type {
  HumanAccuracy,
  HumanConfusion,
  HumanPair,
  HumanPanel,
  PsychometricCurve,
  PsychometricSeries,
} from "../../record/schema.gen";
import { alike, cellsOf, imagesIn, sides, similar, sizeOf } from "./confusions";
import { courseOf, curveSeries, hidden, reach, thresholdSaid } from "./curves";
import {
  among,
  gallery,
  IMAGE_ARRAYS,
  type ImageArray,
  imagesOf,
  outcomesOf,
  points,
  rowsOf,
  standing,
} from "./images";
import { beyondChance, isModel, observerName, pairsBy, saidOf, shapeRows, shown } from "./observers";
import { type Mark, startOf } from "./paired";
import { mainTable } from "./tables";

const interval = (low: number, high: number) => ({ low, high, level: 0.95, method: "" });

/** Six images: one of each outcome, one that the model did not answer, one without a true category. */
const VALUES: Record<ImageArray, number[]> = {
  row: [4, 0, 2, 2, 5, 1],
  judgements: [10, 10, 4, 2, 10, 10],
  right: [10, 9, 1, 0, 8, 0],
  outcome: [0, 1, 2, 3, -1, -1],
  category: [0, 1, 1, 0, 1, -1],
  answer: [0, 1, 0, 1, 1, 0],
  model: [0, 0, 1, 1, -1, 0],
  people_entropy: [0, 0.3, 0.5, 0, 0.5, 0],
  model_entropy: [0.1, 0.9, 0.2, Number.NaN, Number.NaN, 0.3],
  seconds: [1, 2, 3, 4, Number.NaN, 1],
};

function tensors(but: Partial<Record<ImageArray, number[] | null>> = {}): Map<ImageArray, Tensor | null> {
  return new Map(
    IMAGE_ARRAYS.map((name) => {
      const values = name in but ? but[name] : VALUES[name];
      return [name, values ? { dtype: "F64", shape: [values.length], values: Float64Array.from(values) } : null];
    }),
  );
}

const images = imagesOf(tensors());
if (!images) throw new Error("The images are all there.");
const every = Int32Array.from([0, 1, 2, 3, 4, 5]);

describe("the images", () => {
  it("are there when all their arrays are, of one length", () => {
    expect(images.count).toBe(6);
    expect(imagesOf(tensors({ seconds: null }))).toBeNull();
    expect(imagesOf(tensors({ seconds: [1] }))).toBeNull();
  });

  it("follow the selected rows, each under each condition", () => {
    expect([...among(images, Uint32Array.from([2, 3, 4]), 6)]).toEqual([0, 2, 3]);
    expect([...among(images, new Uint32Array(0), 6)]).toEqual([]);
    expect(rowsOf(images, [3, 2, 0])).toEqual([2, 4]);
  });

  it("are counted by who gets them right, those without an outcome not", () => {
    expect(outcomesOf(images, every)).toEqual([1, 1, 1, 1]);
    expect(outcomesOf(images, Int32Array.from([4, 5]))).toEqual([0, 0, 0, 0]);
  });

  it("stand in a gallery with those first of which people are surest", () => {
    const many = imagesOf(tensors({ outcome: [1, 1, 3, 3, 1, 2] }));
    expect([...gallery(many ?? images, every, 1)]).toEqual([0, 1, 4]);
    expect([...gallery(many ?? images, every, 3)]).toEqual([3, 2]);
  });

  it("say how often each is right where both answered and the truth is known", () => {
    const found = standing(images, every);
    expect(found.people).toMatchObject({ value: 20 / 26, count: 26, images: 4 });
    expect(found.model).toMatchObject({ value: 0.5, count: 4, images: 4 });
    expect(found.difference.value).toBeCloseTo((0 - 0.9 + 0.75 + 0) / 4, 12);
    expect(standing(images, Int32Array.from([4, 5])).people.value).toBeNull();
    // Of two images, -0.9 and 0, Student's interval alone would reach below -1.
    expect(standing(images, Int32Array.from([0, 1])).difference.interval?.low).toBe(-1);
  });

  it("are points where both numbers are known", () => {
    const at = (name: ImageArray) => (place: number) => images[name][place] as number;
    const found = points(every, at("model_entropy"), at("seconds"));
    expect([...found.places]).toEqual([0, 1, 2, 5]);
    expect([...found.xs]).toEqual([0.1, 0.9, 0.2, 0.3]);
  });
});

const pair = (first: number, second: number, more: Partial<HumanPair> = {}) =>
  ({
    first,
    second,
    count: 9,
    observed: 0.8,
    expected: 0.5,
    kappa: 0.6,
    interval: interval(0.2, 0.9),
    bootstrap: null,
    null: interval(-0.2, 0.2),
    least: -1,
    most: 1,
    p_value: 0.01,
    why: "",
    ...more,
  }) as HumanPair;
const panel = {
  observers: [
    { name: "ann", kind: "person", excluded: false },
    { name: "\u202ebob", kind: "person", excluded: true },
    { name: "net", kind: "model", excluded: false },
    { name: "", kind: "person", excluded: false },
  ],
  categories: ["cat", "dog", "owl"],
  pairs: [pair(0, 2), pair(0, 3, { kappa: null, why: "both get every image right" })],
  confusions: [],
  shape: [
    { observer: -1, category: "cat", bias: 0.5 },
    { observer: -1, category: "dog", bias: 0.9 },
    { observer: 2, category: "dog", bias: 0.1 },
    { observer: -1, category: "owl", bias: null },
    { observer: -1, category: "", bias: 0.7 },
  ],
} as unknown as HumanPanel;

describe("the observers", () => {
  it("are shown models first, without those who are left out, by names that steer nothing", () => {
    expect(shown(panel)).toEqual([2, 0, 3]);
    expect([-1, 0, 1, 3, 9].map((one) => observerName(panel, one))).toEqual([
      "all people",
      "ann",
      "\ufffdbob",
      "observer 4",
      "observer 10",
    ]);
    expect(isModel(panel, 2)).toBe(true);
  });

  it("have one pair whichever comes first", () => {
    const pairOf = pairsBy(panel);
    expect(pairOf(2, 0)).toBe(panel.pairs[0]);
    expect(pairOf(0, 2)).toBe(panel.pairs[0]);
    expect(pairOf(2, 3)).toBeNull();
  });

  it("err alike beyond chance outside the band of independent errors", () => {
    expect(beyondChance(pair(0, 1))).toBe("more");
    expect(beyondChance(pair(0, 1, { kappa: 0.1 }))).toBe("chance");
    expect(beyondChance(pair(0, 1, { kappa: -0.4 }))).toBe("less");
    expect(beyondChance(pair(0, 1, { kappa: null }))).toBe("unknown");
  });

  it("are told with the interval, or with why there is no kappa", () => {
    expect(saidOf(panel, pair(0, 2))).toEqual([
      "ann and net",
      "kappa 0.600 (0.200 to 0.900 at 95%)",
      "both right or both wrong on 80.0%, 50.0% expected by chance",
      "independent errors: −0.200 to 0.200; they err on the same images more often than by chance",
      "9 images",
    ]);
    expect(saidOf(panel, panel.pairs[1] as HumanPair)[1]).toBe("kappa is not defined: both get every image right");
  });

  it("have the shape bias of all categories first, then by people's", () => {
    expect(shapeRows(panel).map((row) => row.category)).toEqual(["", "dog", "cat", "owl"]);
    expect(shapeRows(panel)[1]?.of.get(2)?.bias).toBe(0.1);
  });
});

describe("the page's table", () => {
  const cells = (of: HumanPanel) => {
    const table = mainTable(of);
    return table && Array.from({ length: table.count }, (_, row) => table.columns.map((column) => column.cell(row)));
  };

  it("is of the pairs of observers, or of how often all are right where there are none", () => {
    expect(cells(panel)).toHaveLength(2);
    expect(mainTable(panel)?.title).toBe("error consistency");
    const accuracies: HumanAccuracy[] = [
      { observer: -1, by: "all", group: "", count: 50, correct: 40, accuracy: 0.8, interval: interval(0.7, 0.9) },
      { observer: 2, by: "class", group: "cat", count: 4, correct: 1, accuracy: 0.25, interval: null },
    ];
    expect(cells({ ...panel, pairs: [], accuracies })).toEqual([
      ["all people", "all", "", 50, 40, 0.8, 0.7, 0.9],
      ["net", "class", "cat", 4, 1, 0.25, null, null],
    ]);
    expect(mainTable({ ...panel, pairs: [], accuracies: [] })).toBeNull();
  });
});

describe("confusions side by side", () => {
  const people: HumanConfusion = {
    observer: -1,
    count: 20,
    rows: [0, 0, 1, 1],
    columns: [0, 1, 1, 3],
    counts: [6, 4, 9, 1],
  };
  const model: HumanConfusion = { observer: 2, count: 10, rows: [0, 1], columns: [1, 1], counts: [5, 5] };

  it("have a column for no answer where somebody gave none", () => {
    expect(sizeOf({ ...panel, confusions: [people] })).toBe(4);
    expect(sizeOf({ ...panel, confusions: [model] })).toBe(3);
  });

  it("have one scale, and a difference in shares of the row", () => {
    const drawn = sides(cellsOf(people, 4), cellsOf(model, 4), Int32Array.from([0, 1, 2, 3]));
    expect([drawn.people.mostWrong, drawn.model?.mostWrong]).toEqual([1, 1]);
    expect([drawn.people.mostRight, drawn.model?.mostRight]).toEqual([1, 1]);
    const found = new Map(
      Array.from(drawn.difference?.values ?? [], (value, cell) => [
        `${drawn.difference?.ys[cell]}-${drawn.difference?.xs[cell]}`,
        value,
      ]),
    );
    expect(found.get("0-0")).toBeCloseTo(-0.6, 12);
    expect(found.get("0-1")).toBeCloseTo(0.6, 12);
    expect(found.get("1-1")).toBeCloseTo(0.1, 12);
    expect(found.get("1-3")).toBeCloseTo(-0.1, 12);
  });

  it("are subtracted only where they are of the same images", () => {
    expect(alike(people, model)).toBe(true);
    expect(alike({ ...people, observer: 0, count: 10 }, model)).toBe(true);
    expect(alike({ ...people, observer: 0, count: 9 }, model)).toBe(false);
    const order = Int32Array.from([0, 1, 2, 3]);
    expect(sides(cellsOf(people, 4), cellsOf(model, 4), order, false).difference).toBeNull();
  });

  it("keep no answer last in every order", () => {
    const order = similar(panel.categories, cellsOf(people, 4));
    expect([...order].sort()).toEqual([0, 1, 2, 3]);
    expect(order[3]).toBe(3);
  });

  it("lead to the images of a cell", () => {
    expect(imagesIn(images, "people", 1, 0)).toEqual([2]);
    expect(imagesIn(images, "model", 1, 0)).toEqual([1]);
    expect(imagesIn(images, "model", 2, 0)).toEqual([]);
  });
});

describe("curves", () => {
  const curve = (more: Partial<PsychometricCurve>): PsychometricCurve => ({
    observer: "net",
    kind: "model",
    points: [0, 0.1, 1].map((level) => ({
      level,
      condition: "",
      count: 10,
      correct: 5,
      accuracy: 0.5,
      interval: interval(0.2, 0.8),
    })),
    falling: false,
    guess: 0.1,
    lapse: 0.05,
    lapse_interval: null,
    threshold: 0.3,
    threshold_interval: interval(0.2, 0.4),
    at: 0.5,
    width: 1,
    width_interval: null,
    overdispersion: 0,
    levels: [0.1, 1],
    accuracies: [0.2, 0.9],
    why: "",
    ...more,
  });
  const series = (curves: PsychometricCurve[], scale: "linear" | "log"): PsychometricSeries => ({
    distortion: "contrast",
    answer: "",
    scale,
    curves,
    ratio: null,
    ratio_interval: null,
    count: 30,
  });

  it("leave out of a logarithmic scale what has no place there, and count it", () => {
    const [one] = curveSeries(series([curve({})], "log"));
    expect(one?.spots.map((spot) => spot.x)).toEqual([0.1, 1]);
    expect(hidden(series([curve({})], "log"))).toBe(1);
    expect(hidden(series([curve({})], "linear"))).toBe(0);
    expect(curveSeries(series([curve({})], "linear"))[0]?.spots.length).toBe(3);
  });

  it("have a threshold with its interval, or say why there is none", () => {
    expect(thresholdSaid(curve({}))).toBe("threshold 0.300 (0.200 to 0.400 at 95%), where 50% are right");
    expect(thresholdSaid(curve({ threshold: null, why: "it is right everywhere" }))).toBe(
      "no threshold: it is right everywhere",
    );
    expect(curveSeries(series([curve({ threshold: null })], "log"))[0]?.threshold).toBeNull();
    expect(curveSeries(series([curve({})], "log"))[0]?.threshold).toMatchObject({
      at: 0.3,
      y: 0.5,
      low: 0.2,
      high: 0.4,
    });
  });

  it("have room around all that is drawn, and some where nothing is", () => {
    const [low, high] = reach(curveSeries(series([curve({})], "log")), "log");
    expect(low).toBeLessThan(0.1);
    expect(high).toBeGreaterThan(1);
    expect(reach([], "linear")).toEqual([0, 1]);
    expect(reach([], "log")[0]).toBeGreaterThan(0);
  });

  it("tell the course of learning without the steps that have no kappa", () => {
    const point = (step: number, kappa: number | null) => ({
      step,
      record: "",
      count: 5,
      accuracy: 0.5,
      accuracy_interval: null,
      kappa,
      interval: null,
      null: interval(-0.1, 0.1),
      why: "",
    });
    const course = courseOf(
      {
        lens: "perceptual_learning",
        count: 0,
        findings: [],
        answer: "",
        points: [point(0, null), point(5, 0.2), point(9, 0.4)],
        people: 0.6,
        people_interval: interval(0.5, 0.7),
        onset: 5,
      },
      (step) => `#${step}`,
    );
    expect(course.series[0]?.line).toEqual([
      [5, 0.2],
      [9, 0.4],
    ]);
    expect(course.series[0]?.spots[1]?.href).toBe("#9");
    expect(course.y[0]).toBeLessThan(-0.1);
    expect(course.y[1]).toBeGreaterThan(0.7);
    expect(course.levels[0]?.y).toBe(0.6);
  });
});

describe("the axis of shares", () => {
  const mark = (value: number | null, low = value ?? 0): Mark => ({ value, interval: interval(low, 1), lines: [] });
  const rows = (...marks: Mark[]) => marks.map((people, key) => ({ key: String(key), label: "", people, model: null }));

  it("starts near the marks where all are above one half, else at zero", () => {
    expect(startOf(rows(mark(0.95, 0.91), mark(0.86, 0.84)))).toBe(0.8);
    expect(startOf(rows(mark(0.95), mark(0.4)))).toBe(0);
    expect(startOf(rows(mark(1), mark(0.999)))).toBe(0.9);
    expect(startOf(rows(mark(null)))).toBe(0);
    expect(startOf([])).toBe(0);
  });
});
