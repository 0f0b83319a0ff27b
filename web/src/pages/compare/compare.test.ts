import { describe, expect, it } from "vitest";
import { chance } from "../../marks/chance";
import type { Pair } from "../../measures/compare";
import type { Examples } from "../../record/examples";
import type { ComparedModel, ComparisonPanel } from "../../record/schema.gen";
import { EMPTY, type Selection } from "../../selection/selection";
import { answeredByAny, answersOf, chosenByAnswers, flipped, lossesByAll, pairOf } from "./answers";
import { cumulative } from "./curves";
import { infiniteLosses, leftOut } from "./left";
import { costsOf, judge, sizesOf } from "./sizes";
import { modelTable } from "./tables";

const every = (count: number) => Uint32Array.from({ length: count }, (_, row) => row);

describe("the curve of losses", () => {
  it("counts, at every bin's end, what a loop counts", () => {
    const losses = Float64Array.from({ length: 500 }, (_, row) => Math.exp(((row * 37) % 101) / 8 - 9));
    losses[3] = Number.NaN;
    losses[4] = 0;
    losses[5] = 1e9;
    const curve = cumulative(every(500), losses);
    expect(curve.count).toBe(499);
    for (const [end, share] of curve.points.slice(0, -1)) {
      const below = losses.filter((loss) => loss < end).length;
      expect(share, String(end)).toBeCloseTo(below / 499, 12);
    }
    expect(curve.points.at(-1)?.[1]).toBe(1);
  });

  it("ends below 1 where losses are infinite", () => {
    const curve = cumulative(every(4), Float64Array.from([1, 2, Infinity, Number.NaN]));
    expect([curve.count, curve.points.at(-1)?.[1]]).toEqual([3, 2 / 3]);
  });
});

describe("examples that were chosen by how they were answered", () => {
  const panel = { models: [{ name: "a" }, { name: "b" }], pairs: [{ flip: "flip" }] } as unknown as ComparisonPanel;
  const of = (part: Partial<Selection>) => chosenByAnswers({ ...EMPTY, ...part }, panel);

  it("are told by every part of the selection that asks for an answer", () => {
    const range = { low: 0, high: 1 };
    expect(of({ predicted: [1], outcome: "wrong", losses: range, confidences: range })).toEqual([
      "predicted class",
      "outcome",
      "loss",
      "confidence",
    ]);
    expect(of({ class: [2] })).toEqual(["predicted class"]);
    expect(of({ columns: { flip: "fixed", "a.prediction": "3" } })).toEqual(["flip", "a.prediction"]);
  });

  it("are not those of a true class, a column of the data or a list", () => {
    expect(of({ true: [1], columns: { shelf: "left" }, rows: [1, 2], example: 4 })).toEqual([]);
  });
});

describe("what flipped", () => {
  const pair: Pair = {
    labels: Int32Array.from([0, 0, 0, 0, -1, 0]),
    old: Int32Array.from([1, 0, 1, 1, 1, -1]),
    new: Int32Array.from([0, 1, 0, 0, 0, 0]),
    oldLosses: new Float64Array(6),
    newLosses: new Float64Array(6),
    oldConfidences: [0.6, 0.9, 0.8, Number.NaN, 0.9, 0.9],
    newConfidences: [0.9, 0.7, 0.9, 0.9, 0.9, 0.9],
  };

  it("is counted whole, and the surest wrong answers come first", () => {
    expect(flipped(every(6), pair, "fixed", 12)).toEqual({ count: 4, rows: [2, 0, 3, 5] });
    expect(flipped(every(6), pair, "fixed", 1)).toEqual({ count: 4, rows: [2] });
    expect(flipped(every(6), pair, "broken", 12)).toEqual({ count: 1, rows: [1] });
  });

  it("is said of what only one model answers", () => {
    expect(leftOut(every(6), pair, "old", "new")).toEqual([
      "Of the 6 examples that old or new answers, old leaves 1 unanswered and new 0: they count as not right there, and as answers that changed.",
      "Means of confidence are over the 5 examples that have one by both models; left out are 0 that have one by old alone and 1 by new alone.",
    ]);
    expect(leftOut(every(3), pair, "old", "new")).toEqual([]);
    const sides = { both: 9, onlyOld: 0, onlyNew: 0, infiniteOld: 0, infiniteNew: 3 };
    expect(infiniteLosses(sides, "old", "new")).toBe("new has an infinite loss on 3 examples");
  });

  it("gives p values in words where no number is small enough", () => {
    expect(chance(0)).toBe("p < 1e−300");
    expect(chance(0.0312)).toBe("p = 0.031");
  });
});

describe("the answers of a comparison's models", () => {
  const column = (values: readonly number[]) => ({ numbers: Float64Array.from(values) });
  const nan = Number.NaN;
  // Infinite losses are not known in the table; the old model's record lacks the last example.
  const examples = {
    count: 5,
    targets: Int32Array.from([0, 1, 1, -1, 0]),
    numbers: null,
    hasSets: false,
    predictions: Int32Array.from([0, 1, -1, 1, 0]),
    losses: Float64Array.from([0.5, nan, nan, nan, 0.25]),
    confidences: Float32Array.from([0.5, 0.75, nan, 0.75, 0.5]),
    columns: new Map([
      ["old.prediction", column([1, nan, nan, 1, nan])],
      ["old.loss", column([2, nan, nan, nan, nan])],
      ["old.confidence", column([0.5, nan, nan, 0.5, nan])],
      ["old.matched", column([1, 1, 1, 1, 0])],
    ]),
  } as unknown as Examples;
  const panel = { models: [{ name: "old" }, { name: "new", infinite: 1 }] } as unknown as ComparisonPanel;
  const answers = [answersOf(examples, panel, 0), answersOf(examples, panel, 1)];

  it("have infinite losses where a label was given no probability", () => {
    expect([...(answers[1]?.losses ?? [])]).toEqual([0.5, Infinity, nan, nan, 0.25]);
    expect([...(answers[0]?.losses ?? [])]).toEqual([2, nan, nan, nan, nan]);
  });

  it("are nothing of an example that one record lacks", () => {
    const pair = pairOf(examples, panel, 0, 1);
    expect([...pair.labels]).toEqual([0, 1, 1, -1, -1]);
    expect([...pair.new]).toEqual([0, 1, -1, 1, -1]);
    expect([...pair.newLosses]).toEqual([0.5, Infinity, nan, nan, nan]);
  });

  it("are compared on what all records have and a model answers, losses where each has one", () => {
    const common = answeredByAny(every(5), examples.targets, answers);
    expect([...common]).toEqual([0, 1]);
    const compared = lossesByAll(common, answers);
    expect([...compared]).toEqual([0]);
    const told = answers.map((one) => judge(common, examples.targets, one, compared));
    expect(told.map((one) => [one.correct, one.count, one.loss])).toEqual([
      [0, 2, 2],
      [2, 2, 0.5],
    ]);
    expect(judge(common, examples.targets, answers[1] as (typeof answers)[number]).loss).toBeNull();
  });
});

describe("sizes", () => {
  const model = (name: string, parameters: number | null, steps: number) =>
    ({
      name,
      parameters,
      flops: null,
      seconds: null,
      learned: [{ step: steps, seconds: steps / 10, accuracy: 0.9 }],
    }) as unknown as ComparedModel;
  const panel = {
    models: [model("small", 10, 40), model("large-0", 100, 20), model("large-1", 100, 30), model("unknown", null, 10)],
    sizes: [
      { name: "small", members: [0] },
      { name: "large", members: [1, 2] },
      { name: "unknown", members: [3] },
    ],
  } as unknown as ComparisonPanel;
  const judged = [80, 90, 94, 99].map((correct) => ({
    correct,
    count: 100,
    loss: 1 - correct / 100,
    lossInterval: null,
  }));

  it("are listed without columns of what is known of none", () => {
    const titles = modelTable(panel, [], null).columns.map((column) => column.title);
    expect(titles).toEqual(["model", "right", "low", "high", "examples", "mean loss", "parameters"]);
    expect(modelTable(panel, [], 0.9).columns.map((column) => column.title)).toContain("steps to");
  });

  it("puts replicates together and leaves out what has no cost", () => {
    const { sizes, without } = sizesOf(panel, judged, "parameters", null);
    expect(without).toEqual(["unknown"]);
    expect(sizes.map((one) => [one.name, one.cost, Number(one.value.toFixed(9)), one.front])).toEqual([
      ["small", 10, 0.8, true],
      ["large", 100, 0.92, true],
    ]);
    // Student's t of two seeds, 2 points from their mean: 12.706 times 0.02, cut at 1.
    expect(sizes[1]?.interval?.low).toBeCloseTo(0.92 - 12.7062 * 0.02, 4);
    expect(sizes[1]?.interval?.high).toBe(1);
  });

  it("takes the interval of the examples where seeds agree exactly", () => {
    const same = judged.map((one) => ({ ...one, correct: 90, count: 100 }));
    const large = sizesOf(panel, same, "parameters", null).sizes.find((one) => one.name === "large");
    expect(large?.members.length).toBe(2);
    expect(large?.count).toBe(100);
    expect(large?.interval?.low).toBeCloseTo(0.8256, 4);
  });

  it("counts training up to an accuracy, and not where it was never reached", () => {
    expect(sizesOf(panel, judged, "training_steps", 0.9).sizes.map((one) => [one.name, one.cost, one.front])).toEqual([
      ["unknown", 10, true],
      ["large", 25, false],
      ["small", 40, false],
    ]);
    expect(sizesOf(panel, judged, "training_steps", 0.95).sizes).toEqual([]);
    expect(costsOf(panel, 0.9)).toEqual(["parameters", "training_steps", "training_seconds"]);
  });

  it("takes the smaller loss for the better one", () => {
    const { sizes } = sizesOf(panel, judged, "training_steps", 0.9, "loss");
    expect(sizes.map((one) => [one.name, one.front])).toEqual([
      ["unknown", true],
      ["large", false],
      ["small", false],
    ]);
    expect(sizesOf(panel, judged, "parameters", null, "loss").sizes.every((one) => one.front)).toBe(true);
  });

  it("judges a model on the examples that have a label, where no answer is not right", () => {
    const answers = {
      predictions: Int32Array.from([1, 0, 1, -1]),
      losses: Float64Array.from([1, 2, Number.NaN, Number.NaN]),
      confidences: [],
      matched: null,
    };
    expect(judge(every(4), Int32Array.from([1, 1, -1, 1]), answers)).toMatchObject({ correct: 1, count: 3, loss: 1.5 });
    // Student's t of 1 and 2: their mean and 12.706 half-differences.
    const { lossInterval } = judge(every(4), Int32Array.from([1, 1, -1, 1]), answers);
    expect(lossInterval?.high).toBeCloseTo(1.5 + 12.7062 / 2, 3);
  });
});
