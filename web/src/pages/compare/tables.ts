/** The numbers of the page as tables. */
import { percent, plain, quantity } from "../../marks/format";
import type { Group } from "../../measures/compare";
import { wilson } from "../../measures/intervals";
import type { ComparisonPanel } from "../../record/schema.gen";
import { instrument } from "../../selection/instrument.svelte";
import { type TableColumn, type TableModel, tableOf } from "../../shell/table";
import { type Cost, costOf, type Judged } from "./sizes";

export function groupTable(groups: readonly Group[], old: string, now: string, tested: boolean): TableModel {
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
    groups.map((one) => [
      instrument.className(one.index),
      one.count,
      one.old,
      one.new,
      one.difference,
      one.interval?.low ?? null,
      one.interval?.high ?? null,
      one.fixed,
      one.broken,
      tested ? one.pValue : null,
      tested ? one.adjusted : null,
    ]),
    [`recall of ${old}`, `recall of ${now}`, "difference", "low", "high"],
  );
}

/** Every model: what it knows on the selection, and what it costs. */
export function modelTable(panel: ComparisonPanel, judged: readonly Judged[], reach: number | null): TableModel {
  const of = (row: number) => judged[row] ?? { correct: 0, count: 0, loss: null, lossInterval: null };
  const ends = (row: number) => wilson(of(row).correct, of(row).count);
  const numeric = (title: string, cell: (row: number) => number | null, text?: (value: number | null) => string) => ({
    id: title,
    title,
    numeric: true,
    cell,
    ...(text ? { text: (row: number) => text(cell(row)) } : {}),
  });
  /** Millions are said in words. */
  const large = (column: TableColumn) => ({ ...column, width: 112 });
  const cost = (name: Cost) => (row: number) => {
    const model = panel.models[row];
    return model ? costOf(model, name, reach) : null;
  };
  const costs = [
    large(numeric("parameters", cost("parameters"), (value) => (value === null ? "" : quantity(value)))),
    large(numeric("FLOPs", cost("flops"), (value) => (value === null ? "" : quantity(value)))),
    numeric("seconds", cost("seconds")),
    numeric("steps to", cost("training_steps")),
    numeric("seconds to", cost("training_seconds")),
  ];
  return {
    title: "models",
    count: panel.models.length,
    columns: [
      { id: "model", title: "model", width: 184, cell: (row) => plain(panel.models[row]?.name ?? "") },
      numeric(
        "right",
        (row) => (of(row).count > 0 ? of(row).correct / of(row).count : null),
        (value) => percent(value),
      ),
      numeric(
        "low",
        (row) => ends(row)?.low ?? null,
        (value) => percent(value),
      ),
      numeric(
        "high",
        (row) => ends(row)?.high ?? null,
        (value) => percent(value),
      ),
      numeric("examples", (row) => of(row).count),
      numeric("mean loss", (row) => of(row).loss),
      // What is known of no model would be empty columns.
      ...costs.filter((column) => panel.models.some((_, row) => column.cell(row) !== null)),
    ],
  };
}
