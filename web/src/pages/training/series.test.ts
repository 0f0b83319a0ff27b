import { describe, expect, it } from "vitest";
import { Training, type TrainingRow } from "./series";

function row(step: number, layer: string, quantity: string, value: number | null, bins?: number[]): TrainingRow {
  return { step, seconds: step / 10, layer, quantity, value, bins: bins ?? null, counts: bins?.map(() => 1) ?? null };
}

const ROWS: TrainingRow[] = [];
for (let step = 0; step < 40; step += 2) {
  ROWS.push(row(step, "", "loss", 2 - step / 40));
  if (step % 10 === 0) ROWS.push(row(step, "", "validation_loss", step === 20 ? null : 2.2 - step / 40));
  for (const layer of ["conv", "fc"]) {
    ROWS.push(row(step, layer, "gradient_norm", step + layer.length));
    // The second layer's weights are looked at half as often.
    if (layer === "conv" || step % 4 === 0) ROWS.push(row(step, layer, "weight_norm", step * 2));
    if (step % 8 === 0) ROWS.push(row(step, layer, "weight_histogram", null, [-1, 500 + step]));
  }
}

function gathered(...parts: readonly TrainingRow[][]): Training {
  const training = new Training();
  for (const part of parts) training.add(part);
  return training;
}

/** Everything that a page can ask of it. */
function told(training: Training) {
  return {
    last: training.lastStep,
    layers: training.layers,
    curves: [...training.curves],
    quantities: training.quantities(),
    maps: training.quantities().map((quantity) => {
      const { layers, steps, values } = training.layerSteps(quantity);
      return { layers, steps, values: [...values] };
    }),
    histograms: training
      .histogramQuantities()
      .map((quantity) =>
        training.histogramLayers(quantity).map((layer) => [layer, training.histograms(quantity, layer)]),
      ),
  };
}

describe("what a Watch saw", () => {
  it("is the same whether it comes in parts or at once", () => {
    const whole = told(gathered(ROWS));
    for (const cut of [1, 17, ROWS.length - 1])
      expect(told(gathered(ROWS.slice(0, cut), [], ROWS.slice(cut))), `cut at ${cut}`).toEqual(whole);
    expect(told(gathered(...ROWS.map((one) => [one])))).toEqual(whole);
  });

  it("has a curve for each quantity of the whole model, null where it was not finite", () => {
    const training = gathered(ROWS);
    expect([...training.curves.keys()]).toEqual(["loss", "validation_loss"]);
    expect(training.curves.get("validation_loss")).toEqual({
      steps: [0, 10, 20, 30],
      values: [2.2, 1.9500000000000002, null, 1.4500000000000002],
    });
    expect(training.lastStep).toBe(38);
  });

  it("has a curve for each layer, apart from those of the whole model", () => {
    const training = gathered(ROWS);
    expect(training.curve("gradient_norm", "fc")?.values[3]).toBe(8);
    expect(training.curve("loss", "fc")).toBeUndefined();
    expect(training.quantities()).toEqual(["gradient_norm", "weight_norm"]);
  });

  it("keeps histograms by layer in order of step", () => {
    const training = gathered(ROWS);
    expect(training.histogramQuantities()).toEqual(["weight_histogram"]);
    expect(training.histogramLayers("weight_histogram")).toEqual(["conv", "fc"]);
    expect(training.histograms("weight_histogram", "fc").map((one) => one.step)).toEqual([0, 8, 16, 24, 32]);
    expect(training.histograms("weight_histogram", "absent")).toEqual([]);
    expect(training.histogramLayers("absent")).toEqual([]);
  });

  it("maps layers over steps, not a number where a layer was not looked at", () => {
    const { layers, steps, values } = gathered(ROWS).layerSteps("weight_norm");
    expect(layers).toEqual(["conv", "fc"]);
    expect(steps).toEqual(Array.from({ length: 20 }, (_, index) => 2 * index));
    steps.forEach((step, column) => {
      expect(values[column]).toBe(2 * step);
      const second = values[steps.length + column] as number;
      if (step % 4 === 0) expect(second).toBe(2 * step);
      else expect(second).toBeNaN();
    });
  });

  it("is nothing before anything came", () => {
    const training = new Training();
    expect(training.lastStep).toBe(-1);
    expect(training.layerSteps("gradient_norm")).toEqual({ layers: [], steps: [], values: new Float64Array(0) });
  });
});
