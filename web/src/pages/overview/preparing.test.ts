import { describe, expect, it } from "vitest";
import { stepWords } from "./preparing";

describe("how an input was prepared", () => {
  it("is said in words", () => {
    expect(stepWords({ step: "resize", size: [128, 96], interpolation: "bilinear" })).toBe(
      "resize to 128 × 96 (bilinear)",
    );
    expect(stepWords({ step: "resize", shorter_side: 256, interpolation: "bicubic" })).toBe(
      "resize the shorter side to 256 (bicubic)",
    );
    expect(stepWords({ step: "centre crop", size: [224, 224] })).toBe("cut the centre to 224 × 224");
    expect(stepWords({ step: "scale", divisor: 255 })).toBe("divide by 255");
    expect(stepWords({ step: "normalise", mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] })).toBe(
      "subtract 0.485, 0.456, 0.406, then divide by 0.229, 0.224, 0.225",
    );
    expect(stepWords({ step: "normalise", mean: [0.5, 0.5, 0.5], std: [] })).toBe("subtract 0.500");
    expect(stepWords({ step: "grayscale" })).toBe("grayscale");
  });

  it("is said with its own names where it is another's", () => {
    expect(stepWords({ step: "pad", left_edge: 3 })).toBe("pad left edge 3");
    expect(stepWords({ name: "normalise" })).toBe("name normalise");
  });
});
