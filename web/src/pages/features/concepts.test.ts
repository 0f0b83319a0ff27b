import { expect, test } from "vitest";
import type { Tensor } from "../../record/safetensors";
import type { ConceptInfo, ConceptLayer } from "../../record/schema.gen";
import { agreements, byKind, kindsOf, ordered, standing } from "./concepts";

const info = (name: string, kind: string): ConceptInfo => ({ name, kind, share: 0.1, pictures: 4, strongest: [] });
const CONCEPTS = [info("red", "colour"), info("blue", "colour"), info("dots", "texture")];
const LAYER = { chance: 0.02, found: { red: 2, dots: 3 } } as unknown as ConceptLayer;
const IOU = { shape: [2, 3], values: new Float32Array([0.1, 0.3, 0.2, 0.5, 0.0, 0.4]) } as unknown as Tensor;

test("detectors are counted by kind, and different ones once", () => {
  expect(kindsOf(CONCEPTS)).toEqual(["colour", "texture"]);
  expect(byKind(LAYER, CONCEPTS).map((one) => [one.kind, one.channels, one.distinct])).toEqual([
    ["colour", 2, 1],
    ["texture", 3, 1],
  ]);
});

test("agreement is listed most first, and channels by their best", () => {
  expect(agreements(IOU, 0, CONCEPTS).map((one) => one.name)).toEqual(["blue", "dots", "red"]);
  expect(ordered({ shape: [2], values: new Int32Array([0, 1]) } as unknown as Tensor, IOU, CONCEPTS)).toEqual([1, 0]);
  expect(agreements(null, 0, CONCEPTS)).toEqual([]);
});

test("a channel is a detector only above the least agreement and beyond chance", () => {
  const at = { threshold: 1, reached: 0.005 };
  const panel = { least: 0.04, saturated: 0.02 };
  expect(standing(0.05, at, LAYER, panel)).toBe("detector");
  expect(standing(0.03, at, LAYER, panel)).toBe("below");
  expect(standing(0.05, at, { ...LAYER, chance: 0.06 }, panel)).toBe("chance");
  expect(standing(0, { ...at, threshold: Number.POSITIVE_INFINITY }, LAYER, panel)).toBe("never");
  expect(standing(0.05, { ...at, reached: 0.3 }, LAYER, panel)).toBe("saturated");
});
