/** All of the evidence as one table, a row a number. */
import type { FitPanel, Interval } from "../../record/schema.gen";
import { type TableModel, tableOf } from "../../shell/table";

export function evidenceTable(panel: FitPanel): TableModel {
  const rows: (string | number | null)[][] = [];
  const put = (
    part: string,
    name: string,
    measure: string,
    value: number | null,
    count: number,
    interval: Interval | null = null,
  ) => rows.push([part, name, measure, value, interval?.low ?? null, interval?.high ?? null, count]);
  for (const one of panel.labels)
    put(
      "labels",
      one.name,
      one.how === "none" ? "no class of the model" : `class of the model, by ${one.how}`,
      one.index,
      one.examples,
    );
  for (const one of panel.probes) {
    put("features", one.on, "accuracy", one.accuracy, one.count, one.interval);
    if (one.over) put("features", `${one.on} over ${one.over}`, "gain", one.gain, one.count, one.gain_interval);
    if (one.logme !== null) put("features", one.on, "LogME, nats an example", one.logme, one.count);
  }
  for (const one of panel.scores)
    put("likeness", one.name, "area under the ROC curve", one.auroc, one.count + one.reference_count, one.interval);
  for (const one of panel.variants) {
    put("preparation", one.name, "strangeness, nats", one.strangeness, one.count);
    put("preparation", one.name, "mean confidence", one.confidence, one.count);
    if (one.correct !== null) put("preparation", one.name, "right answers", one.correct, one.count);
  }
  return tableOf("fit", ["evidence", "of", "measure", "value", "low", "high", "examples"], rows);
}
