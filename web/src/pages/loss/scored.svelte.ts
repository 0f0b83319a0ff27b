/** The columns that the loss page computes from, as its measures take them. */
import type { Labelled } from "../../measures/losslabels";
import type { Scored } from "../../measures/lossparts";
import { instrument } from "../../selection/instrument.svelte";

/** Columns for the parts of the scores and for disputed labels; null where the examples have no single or soft labels. */
export function scoredExamples(): (Scored & Labelled) | null {
  const examples = instrument.examples;
  if (!examples || instrument.manifest?.task !== "classification") return null;
  return {
    targets: examples.targets,
    predictions: examples.predictions,
    confidences: examples.confidences,
    logLosses: examples.logLosses ?? examples.losses,
    briers: examples.briers,
    soft: examples.isSoft ? (row) => examples.soft(row) : null,
    isSoft: examples.isSoft,
    topClasses: (row) => examples.topClasses(row),
    topProbabilities: (row) => examples.topProbabilities(row),
  };
}
