/** The answers of every model of a comparison: the record's own, the others' from the columns that came with them. */
import type { Pair } from "../../measures/compare";
import type { Examples } from "../../record/examples";
import type { ComparisonPanel } from "../../record/schema.gen";

/** The model whose record the comparison is: the second. */
export const BASE = 1;

/** Values that a column may have at most to be shown as slices. */
const MOST_VALUES = 50;

export interface Answers {
  readonly predictions: Int32Array;
  readonly losses: Float64Array;
  readonly confidences: ArrayLike<number>;
}

const known = new WeakMap<Examples, Map<string, Answers>>();

/** Answers of a model by its place in the panel. */
export function answersOf(examples: Examples, panel: ComparisonPanel, model: number): Answers {
  if (model === BASE)
    return { predictions: examples.predictions, losses: examples.losses, confidences: examples.confidences };
  const name = panel.models[model]?.name ?? "";
  const kept = known.get(examples) ?? new Map<string, Answers>();
  known.set(examples, kept);
  let found = kept.get(name);
  if (!found) {
    const column = (what: string) => examples.columns.get(`${name}.${what}`)?.numbers ?? filled(examples.count);
    found = {
      predictions: Int32Array.from(column("prediction"), (value) => (Number.isNaN(value) ? -1 : value)),
      losses: column("loss"),
      confidences: column("confidence"),
    };
    kept.set(name, found);
  }
  return found;
}

function filled(count: number): Float64Array {
  return new Float64Array(count).fill(Number.NaN);
}

/** The rows that have a label and an answer by every model. */
export function answeredByAll(rows: Uint32Array, labels: Int32Array, answers: readonly Int32Array[]): Uint32Array {
  const kept = new Uint32Array(rows.length);
  let count = 0;
  each: for (let place = 0; place < rows.length; place++) {
    const row = rows[place] as number;
    if ((labels[row] as number) < 0) continue;
    for (const one of answers) if ((one[row] as number) < 0) continue each;
    kept[count++] = row;
  }
  return kept.subarray(0, count);
}

/** Two of the models side by side. */
export function pairOf(examples: Examples, panel: ComparisonPanel, old: number, now: number): Pair {
  const before = answersOf(examples, panel, old);
  const after = answersOf(examples, panel, now);
  return {
    labels: examples.targets,
    old: before.predictions,
    new: after.predictions,
    oldLosses: before.losses,
    newLosses: after.losses,
    oldConfidences: before.confidences,
    newConfidences: after.confidences,
  };
}

/** Columns that came with the examples, not with the comparison, and have few values. */
export function sliceColumns(examples: Examples, panel: ComparisonPanel): string[] {
  const own = new Set(panel.pairs.map((pair) => pair.flip));
  for (const model of panel.models)
    for (const what of ["prediction", "loss", "confidence"]) own.add(`${model.name}.${what}`);
  return [...examples.columns]
    .filter(([name, column]) => !own.has(name) && column.values.length >= 2 && column.values.length <= MOST_VALUES)
    .map(([name]) => name);
}

export type Flip = "fixed" | "broken";

export interface Flipped {
  readonly count: number;
  /** The rows with the surest wrong answers, at most as many as asked for, the surest first. */
  readonly rows: readonly number[];
}

/** Rows that were fixed or that broke. */
export function flipped(rows: Uint32Array, pair: Pair, which: Flip, most: number): Flipped {
  const fixed = which === "fixed";
  const [wrong, right] = fixed ? [pair.old, pair.new] : [pair.new, pair.old];
  const sure = fixed ? pair.oldConfidences : pair.newConfidences;
  const kept: { row: number; confidence: number }[] = [];
  let count = 0;
  for (let place = 0; place < rows.length; place++) {
    const row = rows[place] as number;
    const label = pair.labels[row] as number;
    const answer = wrong[row] as number;
    if (label < 0 || answer < 0 || answer === label || right[row] !== label) continue;
    count += 1;
    const confidence = Number.isFinite(sure[row]) ? (sure[row] as number) : -1;
    const least = kept.at(-1);
    if (least && kept.length >= most && confidence <= least.confidence) continue;
    let at = kept.length;
    while (at > 0 && (kept[at - 1] as (typeof kept)[number]).confidence < confidence) at -= 1;
    kept.splice(at, 0, { row, confidence });
    if (kept.length > most) kept.pop();
  }
  return { count, rows: kept.map((one) => one.row) };
}
