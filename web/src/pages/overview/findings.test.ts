import { expect, test } from "vitest";
import type { Finding } from "../../record/schema.gen";
import { evidence } from "./findings";

const finding = (numbers: Finding["evidence"]): Finding => ({
  kind: "confused-pair",
  severity: "high",
  sentence: "",
  count: 1,
  page: "confusion",
  weight: 1,
  interval: null,
  evidence: numbers,
  selection: {},
});

test("evidence reads as words and numbers, and no probability is zero", () => {
  expect(evidence(finding({ p_value: 0, dead: 0, first: "conv.bias" }))).toBe(
    "p value below 1e−300, dead 0, first conv.bias",
  );
  expect(evidence(finding({ p_value: 0.0004 }))).toBe("p value 4.00e−4");
});
