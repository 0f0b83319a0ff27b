import { expect, test } from "vitest";
import type { Finding, Manifest, Summary } from "../../record/schema.gen";
import { evidence, intervalWords, nothingFound } from "./findings";

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
    "p value < 1e−300, dead 0, first conv.bias",
  );
  expect(evidence(finding({ p_value: 0.0004 }))).toBe("p value 4.0e−4");
});

test("an interval is of a share only where the finding is of one, and is not said twice", () => {
  const bounds = { low: 0.063, high: 0.096, level: 0.95, method: "wilson" } as const;
  const pair = { ...finding({}), interval: bounds };
  expect(intervalWords(pair)).toBe("95% interval 6.3% to 9.6%");
  // The mean loss in nats was read as 686.5% to 749.7%.
  const loss = { ...pair, kind: "worse-than-prior", page: "loss", interval: { ...bounds, low: 6.865, high: 7.497 } };
  expect(intervalWords(loss)).toBe("95% interval 6.87 to 7.50");
  expect(intervalWords({ ...pair, kind: "errors-unlike-people", page: "human" })).toBe("95% interval 0.0630 to 0.0960");
  expect(intervalWords({ ...pair, sentence: "78 of 1,000 (95% interval 6.3% to 9.6%)" })).toBe("");
  expect(intervalWords(finding({}))).toBe("");
});

test("a record without findings says what was looked for, and nothing else", () => {
  const said = (lenses: string[], manifest: Partial<Manifest>, summary: Partial<Summary>) =>
    nothingFound(
      {
        state: "complete",
        examples: 9,
        model: {},
        saved: null,
        task: "classification",
        watched: false,
        files: lenses.map((lens) => ({ path: `panels/${lens}.json` })),
        ...manifest,
      } as unknown as Manifest,
      { accuracy: null, mean_loss: null, ...summary } as Summary,
    );
  const all = ["graph", "confusion", "loss", "activations", "weights"];
  expect(said(all, {}, { accuracy: 0.9, mean_loss: 1 })).toBe(
    "Nothing stood out: no classes confused beyond chance, no dead layers, no weights that are not finite, no labels that look wrong. That is no proof; look around.",
  );
  const unlabelled = said(all, {}, {});
  expect(unlabelled).toContain("Nothing stood out: no dead layers, no weights that are not finite.");
  expect(unlabelled).toContain("no labels");
  expect(said(all, { task: "regression" }, { mean_loss: 1 })).not.toMatch(/confused|labels/);
  expect(said(all, { task: "none" }, {})).not.toMatch(/confused|labels/);
  expect(said(["loss", "confusion"], { model: null, saved: {} as Manifest["saved"] }, { accuracy: 0.9 })).not.toContain(
    "dead",
  );
  expect(said(["graph"], { examples: 0 }, {})).toContain("graph alone");
  expect(said(["loss"], { task: "regression" }, { mean_loss: 1 })).toContain("None of the lenses");
  expect(said([], { model: null }, {})).toContain("No model answered");
});
