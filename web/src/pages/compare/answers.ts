/** The answers of every model of a comparison: the record's own, the others' from the columns that came with them. */
import type { Pair } from "../../measures/compare";
import { SAID } from "../../record/compared";
import type { Examples } from "../../record/examples";
import type { ComparisonPanel } from "../../record/schema.gen";
import type { Selection } from "../../selection/selection";

/** The model whose record the comparison is: the second. */
export const BASE = 1;

/** Values that a column may have at most to be shown as slices. */
const MOST_VALUES = 50;

export interface Answers {
  readonly predictions: Int32Array;
  /** NaN where there is none; infinite where the label was given no probability. */
  readonly losses: Float64Array;
  readonly confidences: ArrayLike<number>;
  /** Whether the model's record has each example under the same label, 0 or 1; null where it has all. */
  readonly matched: Float64Array | null;
}

const known = new WeakMap<Examples, Map<string, Answers>>();

/** Answers of a model by its place in the panel. */
export function answersOf(examples: Examples, panel: ComparisonPanel, model: number): Answers {
  const { name = "", infinite = 0 } = panel.models[model] ?? {};
  const kept = known.get(examples) ?? new Map<string, Answers>();
  known.set(examples, kept);
  let found = kept.get(name);
  if (!found) {
    found = model === BASE ? ownAnswers(examples) : othersAnswers(examples, name);
    if (infinite > 0) found = { ...found, losses: withInfinite(examples, found) };
    kept.set(name, found);
  }
  return found;
}

function ownAnswers({ predictions, losses, confidences }: Examples): Answers {
  return { predictions, losses, confidences, matched: null };
}

function othersAnswers(examples: Examples, name: string): Answers {
  const column = (what: (typeof SAID)[number]) => examples.columns.get(`${name}.${what}`)?.numbers ?? null;
  const nothing = new Float64Array(examples.count).fill(Number.NaN);
  return {
    predictions: Int32Array.from(column("prediction") ?? nothing, (value) => (Number.isNaN(value) ? -1 : value)),
    losses: column("loss") ?? nothing,
    confidences: column("confidence") ?? nothing,
    matched: column("matched"),
  };
}

/** The losses with those that are infinite, which the table writes as not known: of examples with a label and an answer. */
function withInfinite(examples: Examples, { predictions, losses, matched }: Answers): Float64Array {
  const { targets, numbers, hasSets } = examples;
  return losses.map((loss, row) => {
    if (!Number.isNaN(loss) || matched?.[row] === 0) return loss;
    if (numbers) return Number.isNaN(numbers[row]) ? loss : Infinity;
    const labelled = (targets[row] as number) >= 0 || (hasSets && examples.classesOf(row) !== null);
    return labelled && (predictions[row] as number) >= 0 ? Infinity : loss;
  });
}

/** The rows with a label that all records have and a model answers. */
export function answeredByAny(rows: Uint32Array, labels: Int32Array, answers: readonly Answers[]): Uint32Array {
  return rows.filter(
    (row) =>
      (labels[row] as number) >= 0 &&
      answers.every(({ matched }) => matched?.[row] !== 0) &&
      answers.some(({ predictions }) => (predictions[row] as number) >= 0),
  );
}

/** The rows on which every model that has a loss on any of them has one. */
export function lossesByAll(rows: Uint32Array, answers: readonly Answers[]): Uint32Array {
  const known = answers.filter(({ losses }) => rows.some((row) => !Number.isNaN(losses[row])));
  return rows.filter((row) => known.every(({ losses }) => !Number.isNaN(losses[row])));
}

/** Two of the models side by side; of examples that one of their records lacks nothing is known. */
export function pairOf(examples: Examples, panel: ComparisonPanel, old: number, now: number): Pair {
  const before = answersOf(examples, panel, old);
  const after = answersOf(examples, panel, now);
  const lacking = [before, after].flatMap(({ matched }) => matched ?? []);
  const classes = (of: Int32Array) => (lacking.length > 0 ? of.map((one, row) => (lacks(row) ? -1 : one)) : of);
  const numbers = (of: ArrayLike<number>) =>
    lacking.length > 0 ? Float64Array.from(of, (one, row) => (lacks(row) ? Number.NaN : one)) : of;
  const lacks = (row: number) => lacking.some((matched) => matched[row] === 0);
  return {
    labels: classes(examples.targets),
    old: classes(before.predictions),
    new: classes(after.predictions),
    oldLosses: numbers(before.losses) as Float64Array,
    newLosses: numbers(after.losses) as Float64Array,
    oldConfidences: numbers(before.confidences),
    newConfidences: numbers(after.confidences),
  };
}

/** Columns that the comparison added: what the other models say, and what flipped. */
function addedColumns(panel: ComparisonPanel): Set<string> {
  const added = new Set(panel.pairs.map((pair) => pair.flip));
  for (const model of panel.models) for (const what of SAID) added.add(`${model.name}.${what}`);
  return added;
}

/**
 * The parts of a selection that choose examples by how a model answered them, in words. Of such examples no verdict holds: those
 * that one model has wrong are bound to look better under any other.
 */
export function chosenByAnswers(selection: Selection, panel: ComparisonPanel): string[] {
  const added = addedColumns(panel);
  return [
    ...(selection.predicted.length + selection.class.length > 0 ? ["predicted class"] : []),
    ...(selection.outcome !== null ? ["outcome"] : []),
    ...(selection.losses !== null ? ["loss"] : []),
    ...(selection.confidences !== null ? ["confidence"] : []),
    ...Object.keys(selection.columns).filter((name) => name === "output" || added.has(name)),
  ];
}

/** Columns that came with the examples, not with the comparison, and have few values. */
export function sliceColumns(examples: Examples, panel: ComparisonPanel): string[] {
  const own = addedColumns(panel);
  return [...examples.columns]
    .filter(([name, column]) => !own.has(name) && column.values.length >= 2 && column.values.length <= MOST_VALUES)
    .map(([name]) => name);
}

export type Flip = "fixed" | "broken";

export interface Flipped {
  readonly count: number;
  /** The rows with the surest wrong answers, at most as many as asked for, the surest first and those without an answer last. */
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
    if (label < 0 || wrong[row] === label || right[row] !== label) continue;
    count += 1;
    const confidence = (wrong[row] as number) >= 0 && Number.isFinite(sure[row]) ? (sure[row] as number) : -1;
    const least = kept.at(-1);
    if (least && kept.length >= most && confidence <= least.confidence) continue;
    let at = kept.length;
    while (at > 0 && (kept[at - 1] as (typeof kept)[number]).confidence < confidence) at -= 1;
    kept.splice(at, 0, { row, confidence });
    if (kept.length > most) kept.pop();
  }
  return { count, rows: kept.map((one) => one.row) };
}
