import { describe, expect, it } from "vitest";
import type { AttributedMethod, MethodInfo, SanityAnswer } from "../../record/schema.gen";
import {
  type Aimed,
  type Answers,
  completeness,
  groupsOf,
  isStretched,
  parametersOf,
  planeShape,
  remaining,
  sanityBadge,
  scaleOf,
  spread,
  unitOf,
} from "./methods";

const AIMED: Aimed = { row: 4, aim: "class", explained: 2, layer: "block.1", unit: 7, place: "max" };
const tensor = (shape: number[], ...values: number[]) => ({ shape, values: Float32Array.from(values) });
const method = (name: string, cost: MethodInfo["cost"]) => ({ name, cost }) as MethodInfo;
const found = (part: Partial<AttributedMethod>) =>
  ({ residual: null, difference: null, error: null, ...part }) as AttributedMethod;

const judged = (said: Partial<SanityAnswer>): SanityAnswer => ({
  method: "grad_cam",
  modules: ["head"],
  correlations: [0.4],
  fails: said.verdict === "fails",
  limit: 0.5,
  done: 8,
  total: 8,
  partial: false,
  verdict: "undefined",
  random: [0.4, null, 0.5],
  mean: null,
  low: null,
  high: null,
  chance: null,
  ...said,
});

describe("a question about a target", () => {
  it("has the parameters of its kind of target alone", () => {
    expect(parametersOf(AIMED)).toEqual({ row: 4, aim: "class", explained: 2 });
    expect(parametersOf({ ...AIMED, aim: "loss" })).toEqual({ row: 4, aim: "loss" });
    expect(parametersOf({ ...AIMED, aim: "unit" })).toEqual({
      row: 4,
      aim: "unit",
      layer: "block.1",
      unit: 7,
      place: "max",
    });
  });
});

describe("methods", () => {
  it("are grouped by what they cost, in the order they came, without empty groups", () => {
    const listed = [method("rise", "passes"), method("saliency", "plain"), method("grad_cam", "plain")];
    expect(groupsOf(listed).map(({ cost, methods }) => [cost, methods.map(({ name }) => name)])).toEqual([
      ["plain", ["saliency", "grad_cam"]],
      ["passes", ["rise"]],
    ]);
  });

  it("measure slopes per input unit, shares in the score's unit, directions in none", () => {
    const logits: Answers = { task: "classification", outputs: "logits" };
    expect(unitOf("saliency", "class", logits)).toBe("logits per input unit");
    expect(unitOf("integrated_gradients", "loss", logits)).toBe("nats");
    expect(unitOf("vargrad", "unit", logits)).toBe("(the unit's response per input unit)²");
    expect(unitOf("eigen_cam", "class", logits)).toBe("");
    expect(unitOf("gradient_x_input", "class", { task: "multilabel", outputs: "probabilities" })).toBe("probability");
  });

  it("of a regression measure its output, and its squared error", () => {
    const numbers: Answers = { task: "regression", outputs: "logits" };
    expect(unitOf("saliency", "class", numbers)).toBe("output per input unit");
    expect(unitOf("gradient_x_input", "loss", numbers)).toBe("squared error");
  });
});

describe("how a map is drawn", () => {
  it("is signed around zero as soon as anything speaks against the score", () => {
    expect(scaleOf(tensor([2, 2], 0, 1, 2, 4))).toMatchObject({ colours: "viridis", domain: [0, 4] });
    expect(scaleOf(tensor([2, 2], 0, -1, 2, 4))).toMatchObject({ colours: "signed", domain: [-4, 4] });
  });

  it("is a plane where it has two extents above one, else steps", () => {
    expect(planeShape(tensor([2, 3], ...Array(6).fill(0)))).toEqual({ height: 2, width: 3 });
    expect(planeShape(tensor([5], ...Array(5).fill(0)))).toBeNull();
    expect(planeShape(tensor([1, 5], ...Array(5).fill(0)))).toBeNull();
  });
});

describe("badges", () => {
  it("say a residual as a part of what the map should add up to, and are bad above one percent", () => {
    expect(completeness(found({ residual: 0.001, difference: -4 }))).toMatchObject({
      text: "residual 0.03%",
      bad: false,
    });
    expect(completeness(found({ residual: -0.2, difference: 4 }))).toMatchObject({ text: "residual 5.00%", bad: true });
    expect(completeness(found({ residual: 1e-7, difference: 4 }))?.text).toBe("residual < 0.01%");
    expect(completeness(found({ residual: 0.5, difference: 0 }))).toMatchObject({ text: "residual 0.500", bad: true });
    expect(completeness(found({}))).toBeNull();
  });

  it("name definition and source of everything that they say", () => {
    const said = [
      completeness(found({ residual: 1, difference: 4 })),
      spread(found({ error: 0.1 })),
      sanityBadge(judged({ verdict: "passes", mean: 0.1, low: 0.05, high: 0.15, chance: 0.2 })),
    ];
    for (const badge of said) expect(badge?.lines.length).toBeGreaterThan(1);
    expect(said[0]?.lines.join(" ")).toContain("adds up to 5");
    expect(said[2]?.lines.join(" ")).toContain("arXiv:1810.03292");
  });

  it("show a method that fails the sanity check failing", () => {
    const fails = sanityBadge(judged({ verdict: "fails", mean: 0.72, low: 0.61, high: 0.83, chance: 0.3 }));
    expect(fails).toMatchObject({ text: "fails: 0.72 on random weights", bad: true });
    expect(fails.lines[1]).toContain("of 2 models");
    expect(fails.lines[1]).toContain("95% interval 0.61 to 0.83");
    expect(sanityBadge(judged({}))).toMatchObject({ text: "– on random weights", bad: false });
  });

  it("say where a map is too small for a verdict, and what chance alone gives", () => {
    const small = sanityBadge(judged({ verdict: "undecided", mean: 0.55, low: 0.31, high: 0.79, chance: 0.68 }));
    expect(small).toMatchObject({ text: "undecided: 0.55 on random weights", bad: false });
    expect(small.lines.join(" ")).toContain("too few places");
    expect(small.lines.join(" ")).toContain("up to 0.68 by chance");
  });
});

describe("the time that is left", () => {
  it("is what the steps so far have taken, for those to come", () => {
    expect(remaining(10, 40, 2000)).toBe(6);
    expect(remaining(0, 40, 2000)).toBeNull();
    expect(remaining(40, 40, 2000)).toBeNull();
  });
});

describe("a map that is a layer's own", () => {
  it("is told by its method's name", () => {
    const known = ["cam", "grad_cam", "grad_cam_plus_plus", "hires_cam", "score_cam", "saliency", "lrp_gamma"];
    expect(known.filter(isStretched)).toEqual(["cam", "grad_cam", "grad_cam_plus_plus", "hires_cam", "score_cam"]);
  });
});
