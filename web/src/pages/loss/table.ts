/** The loss by class as a table, and what a range of losses selects: for the page that counts and for the one that asks a server. */
import type { ClassLoss } from "../../measures/loss";
import { instrument } from "../../selection/instrument.svelte";
import { place } from "../../selection/place.svelte";
import { type TableModel, tableOf } from "../../shell/table";

export function lossTable(classes: readonly ClassLoss[], unit: string): TableModel {
  return tableOf(
    "loss by class",
    ["true class", "examples", `mean loss in ${unit}`, "low", "high", "share of the loss"],
    classes.map((one) => [
      instrument.className(one.index),
      one.count,
      one.mean,
      one.interval?.low ?? null,
      one.interval?.high ?? null,
      one.share,
    ]),
  );
}

/** The first bar holds what is smaller than its bound too, zeros among them: from its left end on, all of that. */
export function takeLosses(
  range: { low: number; high: number } | null,
  bins: readonly { readonly low: number }[],
): void {
  const least = 1.001 * (bins[0]?.low ?? 0);
  place.change({ losses: range && range.low <= least ? { low: 0, high: range.high } : range });
}
