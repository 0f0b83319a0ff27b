import { describe, expect, it } from "vitest";
import type { LossPanel } from "../../record/schema.gen";
import { comparedWith, othersOf } from "./benchmarks";

const one = (name: string, value: number | null, why = "") => ({ name, value, explanation: "said", why });
const panel = {
  benchmarks: [one("uniform guess", 2.3), one("class prior", 2.2), one("best constant", null, "not known")],
  spec: "cross-entropy",
  soft: false,
} as unknown as LossPanel;
const named = (found: ReturnType<typeof comparedWith>) => found.map((made) => [made.name, made.value]);

describe("what the loss is compared with", () => {
  it("is what the record says of all examples", () => {
    expect(comparedWith(panel, true, null, "")).toEqual(panel.benchmarks);
  });
  it("is the selection's own prior where one is selected, and else said to be that of all", () => {
    expect(named(comparedWith(panel, false, 1.1, ""))).toEqual([
      ["uniform guess", 2.3],
      ["class prior", 1.1],
      ["best constant of all", null],
    ]);
    expect(named(comparedWith(panel, false, null, ""))[1]).toEqual(["class prior of all", 2.2]);
  });
  it("is that of all where it hangs on what the labels are: their weights, and how soft they are", () => {
    const least = { ...panel, benchmarks: [one("uniform guess", 2.3), one("least possible", 0.4)] };
    const names = (more: Partial<LossPanel>) =>
      comparedWith({ ...least, ...more }, false, null, "").map((made) => made.name);
    expect(names({})).toEqual(["uniform guess", "least possible"]);
    expect(names({ soft: true })).toEqual(["uniform guess", "least possible of all"]);
    expect(names({ spec: "cross-entropy:weights=1/2" })).toEqual(["uniform guess of all", "least possible of all"]);
  });
  it("has the loss that was typed, in place of one that was asked for before, and nothing that is no number", () => {
    const asked = { benchmarks: [one("target", 0.5)] } as unknown as LossPanel;
    expect(named(comparedWith(asked, true, null, "0.25"))).toEqual([["target", 0.25]]);
    expect(named(comparedWith(asked, true, null, "low"))).toEqual([["target", 0.5]]);
    expect(named(comparedWith(asked, true, null, " "))).toEqual([["target", 0.5]]);
  });
});

describe("other models", () => {
  it("are compared on the examples where both have a loss", () => {
    const losses = Float64Array.of(1, Number.NaN, 3, 4);
    const found = othersOf(Uint32Array.of(0, 1, 2), losses, [
      { name: "old", losses: Float64Array.of(2, 9, Number.NaN, 7) },
      { name: "none", losses: Float64Array.of(Number.NaN, 1, Number.NaN, 1) },
    ]);
    expect(named(found)).toEqual([
      ["old", 2],
      ["none", null],
    ]);
    expect(found[0]?.explanation).toBe("what that model loses on the same 1 example");
  });
});
