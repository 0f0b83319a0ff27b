import { describe, expect, it } from "vitest";
import type { SavedPredictions } from "../record/schema.gen";
import { emptied } from "./emptied";

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
};

describe("what is empty", () => {
  it("says so where no model was run", () => {
    const inspect = "pellucid inspect MODEL --data DATA --out RECORD";
    const watch = "with pellucid.watch(model, optimizer, out=RECORD): ...";
    for (const [command, instead] of [
      [inspect, inspect],
      [`${inspect} --resume`, inspect],
      ["pellucid open net --model MODEL --data DATA", inspect],
      ["pellucid features RECORD --stimuli", inspect],
      ["pellucid fit MODEL --data DATA", "pellucid fit MODEL --data DATA"],
      [watch, watch],
    ] as const) {
      const said = emptied("It was cut short.", command, saved);
      expect(said.why).toBe("This record was made of saved logits (test\ufffd): no model was run, and this needs one.");
      expect(said.command).toBe(instead);
    }
  });

  it("is as it was where a model was run, or none is needed", () => {
    expect(emptied("why", "pellucid inspect MODEL", null)).toEqual({ why: "why", command: "pellucid inspect MODEL" });
    expect(emptied("why", "pellucid compare OLD NEW", saved).why).toBe("why");
    expect(emptied("why", "", saved).why).toBe("why");
  });
});
