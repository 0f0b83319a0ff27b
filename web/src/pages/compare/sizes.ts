/** Cost against accuracy, for any selection: replicates together, what nothing dominates. */
import type { Bounds } from "../../measures/intervals";
import { wilson } from "../../measures/intervals";
import { studentQuantile } from "../../measures/student";
import type { ComparedModel, ComparisonPanel } from "../../record/schema.gen";
import type { Answers } from "./answers";

export const COSTS = {
  parameters: "parameters",
  flops: "FLOPs of one example",
  seconds: "seconds of one example",
  training_steps: "training steps",
  training_seconds: "training seconds",
} as const;

const NOTHING: Judged = { correct: 0, count: 0, loss: null, lossInterval: null };

export type Cost = keyof typeof COSTS;

export interface Size {
  readonly name: string;
  /** Places among the models. */
  readonly members: readonly number[];
  readonly cost: number;
  /** Accuracy, or mean loss. */
  readonly value: number;
  readonly interval: Bounds | null;
  /** Examples of one model, or replicates. */
  readonly count: number;
  /** Nothing that costs as little is as good. */
  readonly front: boolean;
}

/** What a model costs; training up to an accuracy. null where not known, or never reached. */
export function costOf(model: ComparedModel, cost: Cost, reach: number | null): number | null {
  if (cost === "parameters" || cost === "flops" || cost === "seconds") return model[cost];
  const point = reach === null ? undefined : model.learned.find((one) => one.accuracy >= reach);
  return point ? (cost === "training_steps" ? point.step : point.seconds) : null;
}

/** Costs that at least two sizes are known by. */
export function costsOf(panel: ComparisonPanel, reach: number | null): Cost[] {
  return (Object.keys(COSTS) as Cost[]).filter(
    (cost) => panel.models.filter((model) => (costOf(model, cost, reach) ?? 0) > 0).length >= 2,
  );
}

export const MEASURES = { accuracy: "share that is right", loss: "mean loss" } as const;

export type Measure = keyof typeof MEASURES;

export interface Judged {
  readonly correct: number;
  readonly count: number;
  /** Mean over the examples that have one; null where none has, or one is infinite. */
  readonly loss: number | null;
  readonly lossInterval: Bounds | null;
}

/**
 * How often a model is right on the rows with a label, no answer being not right, and its mean loss with Student's interval.
 *
 * `compared` are the rows that the mean is over: those on which the other models have a loss, too.
 */
export function judge(rows: Uint32Array, labels: Int32Array, answers: Answers, compared = rows): Judged {
  let [correct, count] = [0, 0];
  for (let place = 0; place < rows.length; place++) {
    const row = rows[place] as number;
    const label = labels[row] as number;
    if (label < 0) continue;
    count += 1;
    if (answers.predictions[row] === label) correct += 1;
  }
  let [sum, squares, losses] = [0, 0, 0];
  for (let place = 0; place < compared.length; place++) {
    const loss = answers.losses[compared[place] as number] as number;
    if (Number.isNaN(loss)) continue;
    sum += loss;
    squares += loss * loss;
    losses += 1;
  }
  if (losses === 0 || !Number.isFinite(sum)) return { correct, count, loss: null, lossInterval: null };
  const loss = sum / losses;
  return { correct, count, loss, lossInterval: around(loss, squares - sum * loss, losses) };
}

/** Student's interval of a mean from the sum of squared deviations; null below two values. */
function around(mean: number, deviations: number, count: number): Bounds | null {
  if (count < 2) return null;
  const half = studentQuantile(0.975, count - 1) * Math.sqrt(Math.max(0, deviations) / (count - 1) / count);
  return { low: mean - half, high: mean + half };
}

export interface Sizes {
  readonly sizes: readonly Size[];
  /** Names of sizes that have no place, because their cost is not known or was never reached. */
  readonly without: readonly string[];
}

/** Every size with its cost. `judged` is how each model does on the selection. */
export function sizesOf(
  panel: ComparisonPanel,
  judged: readonly Judged[],
  cost: Cost,
  reach: number | null,
  measure: Measure = "accuracy",
): Sizes {
  const without: string[] = [];
  const placed = panel.sizes.flatMap((size) => {
    const costs = size.members.map((place) => {
      const model = panel.models[place];
      return model ? costOf(model, cost, reach) : null;
    });
    const found = measured(
      size.members.map((place) => judged[place] ?? NOTHING),
      measure,
    );
    if (costs.some((one) => one === null || one <= 0) || found === null) {
      without.push(size.name);
      return [];
    }
    return [{ name: size.name, members: size.members, cost: together(cost, costs), ...found }];
  });
  const sign = measure === "loss" ? -1 : 1;
  const front = (one: (typeof placed)[number]) =>
    !placed.some((other) => {
      const better = sign * (other.value - one.value);
      return other.cost <= one.cost && better >= 0 && (other.cost < one.cost || better > 0);
    });
  return { without, sizes: placed.map((one) => ({ ...one, front: front(one) })).sort((a, b) => a.cost - b.cost) };
}

/** The cost of replicates: their mean; of measured seconds the least, which is what else ran disturbed least. */
function together(cost: Cost, costs: readonly (number | null)[]): number {
  const known = costs.map((one) => one ?? 0);
  return cost === "seconds" ? Math.min(...known) : known.reduce((sum, one) => sum + one, 0) / known.length;
}

/** The measure of one model, with Wilson's or Student's interval over examples; of replicates Student's over them. */
function measured(all: readonly Judged[], measure: Measure): Pick<Size, "value" | "interval" | "count"> | null {
  const values = all.map((one) => (measure === "loss" ? one.loss : one.count > 0 ? one.correct / one.count : null));
  const known = values.filter((one) => one !== null);
  const [first] = all;
  const [value] = known;
  if (!first || value === undefined || known.length < all.length) return null;
  if (all.length === 1) {
    const interval = measure === "loss" ? first.lossInterval : wilson(first.correct, first.count);
    return { value, interval, count: first.count };
  }
  const mean = known.reduce((sum, one) => sum + one, 0) / known.length;
  if (known.every((one) => one === value)) {
    // Seeds that agree to the last answer say nothing of how far seeds differ: what is left is how far examples do.
    const interval = measure === "loss" ? first.lossInterval : wilson(first.correct, first.count);
    return { value: mean, interval, count: first.count };
  }
  const deviations = known.reduce((sum, one) => sum + (one - mean) ** 2, 0);
  const ends = around(mean, deviations, known.length);
  // No share lies beyond 1, no loss of ours below 0; Student's interval does not know.
  const interval = ends && {
    low: Math.max(0, ends.low),
    high: measure === "accuracy" ? Math.min(1, ends.high) : ends.high,
  };
  return { value: mean, interval, count: known.length };
}
