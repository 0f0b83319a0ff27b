import { describe, expect, it } from "vitest";
import type { Manifest, SavedPredictions } from "../record/schema.gen";
import { emptied, unexplained } from "./emptied";

const saved: SavedPredictions = {
  name: "test\u202e",
  source: "test.npy",
  kind: "logits",
  columns: [],
  left_out: [],
  unnormalised: 0,
  undecodable: 0,
  matched_by: "",
  unlabelled: 0,
  unmatched: 0,
  trimmed: 0,
  numbers: "indices",
  ignored: 0,
  alike: [],
};

const of = (task: Manifest["task"], predictions: SavedPredictions | null = null) => ({
  task,
  saved: predictions,
  model: null,
});

describe("what is empty", () => {
  it("says so where no model was run", () => {
    const inspect = "pellucid inspect MODEL --data DATA --out RECORD";
    const watch = "with pellucid.watch(model, optimizer, out=RECORD): ...";
    for (const [command, instead] of [
      [inspect, inspect],
      [`${inspect} --resume`, inspect],
      ["pellucid open net --model MODEL --data DATA", inspect],
      ["pellucid features RECORD --stimuli", inspect],
      ["pellucid landscape RECORD --model MODEL --data DATA --sharpness", inspect],
      ["pellucid fit MODEL --data DATA", "pellucid fit MODEL --data DATA"],
      [watch, watch],
    ] as const) {
      const said = emptied("It was cut short.", command, of("classification", saved));
      expect(said.why).toBe("This record was made of saved logits (test\ufffd): no model was run, and this needs one.");
      expect(said.command).toBe(instead);
    }
  });

  it("says of a fit that its model was run, on a sample", () => {
    const model = { name: "Net", source: "", fingerprint: "", parameters: 1, trainable: 1, bytes: 4, weights: "" };
    const said = emptied("None.", "pellucid features RECORD --stimuli", { task: "classification", saved, model });
    expect(said.why).toBe("This record holds the outputs of Net on a sample, for its fit: this needs an inspection.");
    expect(said.command).toBe("pellucid inspect MODEL --data DATA --out RECORD");
  });

  it("is as it was where a model was run, or none is needed", () => {
    expect(emptied("why", "pellucid inspect MODEL", of("regression"))).toEqual({
      why: "why",
      command: "pellucid inspect MODEL",
    });
    expect(emptied("why", "pellucid compare OLD NEW", of("regression", saved)).why).toBe("why");
    expect(emptied("why", "", of("none", saved)).why).toBe("why");
  });

  it("advises no model at hand where it would be refused, for there is no score to explain", () => {
    const open = "pellucid open RECORD --model net --data DATA";
    for (const task of ["classification", "multilabel", "regression"] as const) {
      expect(emptied("No model is at hand.", open, of(task)).command).toBe(open);
      expect(unexplained(task)).toBe("");
    }
    expect(emptied("No model is at hand.", open, of("none"))).toEqual({ why: unexplained("none"), command: "" });
    expect(unexplained("none")).toContain("no score to explain");
  });
});
