import { describe, expect, it } from "vitest";
import type { Tensor } from "../../../record/safetensors";
import type { LearningPanel, NoiseScale } from "../../../record/schema.gen";
import {
  apart,
  balance,
  Cosines,
  heat,
  lengths,
  logBins,
  madeByLongest,
  mostIn,
  noiseText,
  over,
  pairTable,
  rowOf,
  together,
} from "./learning";

const tensor = (shape: number[], values: number[]): Tensor => ({
  dtype: "F32",
  shape,
  values: Float64Array.from(values),
});
const noise = (one: Partial<NoiseScale>): NoiseScale => ({
  trace: 1,
  squared_mean: 1,
  scale: null,
  low: null,
  high: null,
  reason: "",
  ...one,
});
const PANEL = {
  layers: [
    { name: "body", weight_norm: 2 },
    { name: "", weight_norm: 0 },
  ],
  classes: [{ index: 4 }, { index: 7 }, { index: 9 }],
} as unknown as LearningPanel;

/** Two layers and all together, three classes: 0 and 1 pull apart, 0 and 2 together, 1 and 2 are not told from 0. */
const matrix = (one: number, two: number, three: number) => [1, one, two, one, 1, three, two, three, 1];
const COSINES = new Cosines(
  tensor([3, 3, 3], [...matrix(0, 0, 0), ...matrix(Number.NaN, 0, 0), ...matrix(-0.8, 0.6, -0.7)]),
  tensor([3, 3, 3], [...matrix(0, 0, 0), ...matrix(0, 0, 0), ...matrix(-0.9, 0.3, -1)]),
  tensor([3, 3, 3], [...matrix(0, 0, 0), ...matrix(0, 0, 0), ...matrix(-0.6, 0.9, -0.6)]),
  tensor([3, 3, 3], [...matrix(1, 1, 1), ...matrix(1, 1, 1), ...matrix(0.01, 0.02, 0.2)]),
);

describe("cosines of classes", () => {
  it("tell of those that surely pull apart further than balance, and of those that surely learn together", () => {
    expect(balance(3)).toBe(-0.5);
    expect(apart(COSINES, 2, 3).map(({ one, other }) => [one, other])).toEqual([[0, 1]]);
    expect(apart(COSINES, 2, 2)).toEqual([]);
    expect(together(COSINES, 2).map(({ one, other }) => [one, other])).toEqual([[0, 2]]);
    expect(apart(COSINES, 0, 3)).toEqual([]);
    expect([COSINES.sure(2, 0, 1), COSINES.sure(2, 1, 2), COSINES.sure(2, 1, 1)]).toEqual([true, false, true]);
  });

  it("stand in a table with what is not defined left out", () => {
    const table = pairTable(PANEL, COSINES, 1, (index) => `class ${index}`);
    expect(table.title).toBe("cosines of classes, (the model itself)");
    expect(table.columns.map((column) => column.cell(0))).toEqual(["class 4", "class 7", null, 0, 0, 1]);
    expect(table.count).toBe(3);
  });

  it("name the layer that adds most in the direction of the whole", () => {
    const parts = tensor([2, 3, 3], [...matrix(-0.1, 0.4, 0), ...matrix(-0.3, 0.1, 0)]);
    expect(mostIn(parts, COSINES.pair(2, 0, 1), 2)).toBe(1);
    expect(mostIn(parts, COSINES.pair(2, 0, 2), 2)).toBe(0);
  });
});

describe("norms", () => {
  it("turn from classes by layers to layers by classes, over the weights where they have a norm", () => {
    const norms = tensor([3, 2], [1, 2, 3, 4, Number.NaN, 6]);
    expect([...heat(PANEL, norms, false)]).toEqual([1, 3, Number.NaN, 2, 4, 6]);
    expect([...heat(PANEL, norms, true)]).toEqual([0.5, 1.5, Number.NaN, Number.NaN, Number.NaN, Number.NaN]);
    expect(over(3, PANEL.layers[0] as never)).toBe(1.5);
    expect([...rowOf(norms, 1)]).toEqual([3, 4]);
  });

  it("of an example are the root of the sum of squares over layers", () => {
    expect([...lengths(tensor([2, 2], [3, 4, 0, 5]))]).toEqual([5, 5]);
    expect(madeByLongest(Float64Array.from([1, 1, 1, 1, 1, 1, 1, 1, 1, 3]))).toEqual({ count: 1, share: 0.5 });
    expect(madeByLongest(Float64Array.from([0, 0])).share).toBeNaN();
  });

  it("fall into bins of equal width on a logarithmic axis, each once, zeros into the first", () => {
    const values = Float64Array.from([0, 0.01, 0.1, 1, 10, 100]);
    const bins = logBins(values, 4, (at) => at >= 4);
    expect(bins.map((bin) => bin.count)).toEqual([2, 1, 1, 2]);
    expect(bins.map((bin) => bin.part)).toEqual([0, 0, 0, 2]);
    expect(bins[0]?.low).toBeCloseTo(0.01);
    expect(bins[3]?.high).toBeCloseTo(100);
    expect(logBins(Float64Array.from([0]), 4, null)).toEqual([]);
    expect(logBins(values, 4, null)[0]).not.toHaveProperty("part");
  });
});

describe("a noise scale in words", () => {
  it("says what is known of it", () => {
    expect(noiseText(noise({ scale: 40, low: 20, high: 90 }))).toBe("40 (95% interval 20 to 90)");
    expect(noiseText(noise({ scale: 40, low: 20 }))).toBe("40 (95% interval from 20 on, without an upper end)");
    expect(noiseText(noise({ low: 300, reason: "lost" }))).toBe("at least 300: lost");
    expect(noiseText(noise({ reason: "lost" }))).toBe("not defined: lost");
  });
});
