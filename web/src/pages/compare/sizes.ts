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

const NOTHING: Judged = { correct: 0, count: 0, loss: null };

export type Cost = keyof typeof COSTS;

export interface Size {
  readonly name: string;
  /** Places among the models. */
  readonly members: readonly number[];
  readonly cost: number;
  readonly accuracy: number;
  readonly interval: Bounds | null;
  /** Examples of one model, or replicates. */
  readonly count: number;
  /** Nothing that costs as little is as accurate. */
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

export interface Judged {
  readonly correct: number;
  readonly count: number;
  /** Mean over the examples that have one; null where none has. */
  readonly loss: number | null;
}

/** How often a model is right on the rows, and its mean loss there. */
export function judge(rows: Uint32Array, labels: Int32Array, answers: Answers): Judged {
  let [correct, count, sum, losses] = [0, 0, 0, 0];
  for (let place = 0; place < rows.length; place++) {
    const row = rows[place] as number;
    const [label, said, loss] = [
      labels[row] as number,
      answers.predictions[row] as number,
      answers.losses[row] as number,
    ];
    if (label < 0 || said < 0) continue;
    count += 1;
    if (said === label) correct += 1;
    if (Number.isFinite(loss)) {
      sum += loss;
      losses += 1;
    }
  }
  return { correct, count, loss: losses > 0 ? sum / losses : null };
}

export interface Sizes {
  readonly sizes: readonly Size[];
  /** Names of sizes that have no place, because their cost is not known or was never reached. */
  readonly without: readonly string[];
}

/** Every size with its cost. `judged` is how often each model is right on the selection. */
export function sizesOf(panel: ComparisonPanel, judged: readonly Judged[], cost: Cost, reach: number | null): Sizes {
  const without: string[] = [];
  const placed = panel.sizes.flatMap((size) => {
    const costs = size.members.map((place) => {
      const model = panel.models[place];
      return model ? costOf(model, cost, reach) : null;
    });
    const shares = size.members.map((place) => judged[place] ?? NOTHING);
    if (costs.some((one) => one === null || one <= 0) || shares.some((one) => one.count === 0)) {
      without.push(size.name);
      return [];
    }
    return [
      {
        name: size.name,
        members: size.members,
        cost: together(cost, costs),
        ...accuracyOf(shares),
      },
    ];
  });
  const front = (one: (typeof placed)[number]) =>
    !placed.some(
      (other) =>
        other.cost <= one.cost &&
        other.accuracy >= one.accuracy &&
        (other.cost < one.cost || other.accuracy > one.accuracy),
    );
  return { without, sizes: placed.map((one) => ({ ...one, front: front(one) })).sort((a, b) => a.cost - b.cost) };
}

/** The cost of replicates: their mean; of measured seconds the least, which is what else ran disturbed least. */
function together(cost: Cost, costs: readonly (number | null)[]): number {
  const known = costs.map((one) => one ?? 0);
  return cost === "seconds" ? Math.min(...known) : known.reduce((sum, one) => sum + one, 0) / known.length;
}

/** Wilson's interval of one model; of replicates Student's t over them. */
function accuracyOf(shares: readonly Pick<Judged, "correct" | "count">[]): {
  accuracy: number;
  interval: Bounds | null;
  count: number;
} {
  const [first] = shares;
  if (first && shares.length === 1)
    return { accuracy: first.correct / first.count, interval: wilson(first.correct, first.count), count: first.count };
  const values = shares.map((one) => one.correct / one.count);
  const mean = values.reduce((sum, one) => sum + one, 0) / values.length;
  const spread = values.reduce((sum, one) => sum + (one - mean) ** 2, 0) / (values.length - 1);
  const half = studentQuantile(0.975, values.length - 1) * Math.sqrt(spread / values.length);
  return {
    accuracy: mean,
    interval: { low: Math.max(0, mean - half), high: Math.min(1, mean + half) },
    count: values.length,
  };
}
