/** The numbers of the page as tables. */
import { groupsOf, type Pair } from "../../measures/compare";
import { wilson } from "../../measures/intervals";
import type { ComparisonPanel } from "../../record/schema.gen";
import { instrument } from "../../selection/instrument.svelte";
import { type TableModel, tableOf } from "../../shell/table";
import { costOf, type Judged } from "./sizes";

export function groupTable(rows: Uint32Array, pair: Pair, old: string, now: string): TableModel {
  return tableOf(
    "difference by class",
    [
      "class",
      "examples",
      `recall of ${old}`,
      `recall of ${now}`,
      "difference",
      "low",
      "high",
      "fixed",
      "broken",
      "p",
      "p, corrected",
    ],
    groupsOf(rows, pair, pair.labels, instrument.classes.length).map((one) => [
      instrument.className(one.index),
      one.count,
      one.old,
      one.new,
      one.difference,
      one.interval?.low ?? null,
      one.interval?.high ?? null,
      one.fixed,
      one.broken,
      one.pValue,
      one.adjusted,
    ]),
  );
}

export function modelTable(panel: ComparisonPanel, judged: readonly Judged[], reach: number | null): TableModel {
  return tableOf(
    "models",
    [
      "model",
      "accuracy",
      "low",
      "high",
      "mean loss",
      "parameters",
      "FLOPs",
      "seconds",
      "steps to reach",
      "seconds to reach",
    ],
    panel.models.map((model, index) => {
      const { correct, count, loss } = judged[index] ?? { correct: 0, count: 0, loss: null };
      const interval = wilson(correct, count);
      return [
        model.name,
        count > 0 ? correct / count : null,
        interval?.low ?? null,
        interval?.high ?? null,
        loss,
        model.parameters,
        model.flops,
        model.seconds,
        costOf(model, "training_steps", reach),
        costOf(model, "training_seconds", reach),
      ];
    }),
  );
}
