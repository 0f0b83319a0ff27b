/** What the selection's loss is compared with. */
import { plural } from "../../marks/format";
import { meanLossOf } from "../../measures/accuracy";
import type { LossPanel } from "../../record/schema.gen";

export interface Compared {
  readonly name: string;
  /** null where it is not defined, and then `why`. */
  readonly value: number | null;
  readonly explanation: string;
  readonly why: string;
}

/**
 * The record's benchmarks, with those that follow from the examples taken from the selection, and the loss that was typed.
 *
 * `prior` is the selection's own, null where it is the whole or cannot be told; `typed` is what stands in the address.
 */
export function comparedWith(panel: LossPanel, whole: boolean, prior: number | null, typed: string): Compared[] {
  const found: Compared[] = panel.benchmarks.flatMap((one): Compared[] => {
    if (whole || sameForAll(one.name, panel)) return [one];
    if (one.name !== "class prior" || prior === null) return [{ ...one, name: `${one.name} of all` }];
    return [{ ...one, value: prior, explanation: "always the shares that the classes have in the selection" }];
  });
  const wished = Number(typed);
  if (typed.trim() === "" || !Number.isFinite(wished)) return found;
  const others = found.filter((one) => one.name !== "target");
  return [...others, { name: "target", value: wished, explanation: "the loss that you typed", why: "" }];
}

/** Whether a benchmark is that of every selection, whatever its labels are. */
function sameForAll(name: string, panel: LossPanel): boolean {
  if (name === "target") return true;
  // A class's weight is part of what its examples cost; a soft label's own entropy, of the least that it can.
  const alike = !panel.spec.includes("weights=");
  return alike && (name === "uniform guess" || (name === "least possible" && !panel.soft));
}

/** Mean losses of other models on those of the rows where both have one: a record that compares holds a column of each. */
export function othersOf(
  rows: Uint32Array,
  losses: Float64Array,
  others: readonly { readonly name: string; readonly losses: Float64Array }[],
): Compared[] {
  return others.map((other) => {
    const both = rows.filter((row) => Number.isFinite(losses[row]));
    const { value, count } = meanLossOf(both, other);
    return {
      name: other.name,
      value,
      explanation: `what that model loses on the same ${plural(count, "example")}`,
      why: "it has a loss on none of these examples",
    };
  });
}
