/** Accuracy and mean loss of any selection, from typed arrays. Examples without target or prediction do not count. */
import { remembered } from "./chosen";
import { type Bounds, meanInterval, wilson } from "./intervals";

export interface Answers {
  readonly targets: Int32Array;
  readonly predictions: Int32Array;
}

export interface Share {
  readonly correct: number;
  readonly count: number;
  readonly value: number | null;
  readonly interval: Bounds | null;
}

export interface Mean {
  readonly count: number;
  readonly value: number | null;
  readonly interval: Bounds | null;
}

export function accuracyOf(rows: Uint32Array, { targets, predictions }: Answers): Share {
  return judged(rows, targets, predictions);
}

const judged = remembered((rows: Uint32Array, targets: Int32Array, predictions: Int32Array): Share => {
  let correct = 0;
  let count = 0;
  for (let place = 0; place < rows.length; place++) {
    const row = rows[place] as number;
    const target = targets[row] as number;
    const prediction = predictions[row] as number;
    if (target < 0 || prediction < 0) continue;
    count += 1;
    if (target === prediction) correct += 1;
  }
  return share(correct, count);
});

/** Share of examples whose target is among the k most probable classes; `ranks` is 0 for the first, -1 unknown. */
export function topKOf(rows: Uint32Array, ranks: Int32Array, k: number): Share {
  let correct = 0;
  let count = 0;
  for (let place = 0; place < rows.length; place++) {
    const rank = ranks[rows[place] as number] as number;
    if (rank < 0) continue;
    count += 1;
    if (rank < k) correct += 1;
  }
  return share(correct, count);
}

/** Mean over the losses that are defined, with Student's t interval. */
export function meanLossOf(rows: Uint32Array, { losses }: { losses: Float64Array }): Mean {
  return meanOf(rows, losses);
}

const meanOf = remembered((rows: Uint32Array, losses: Float64Array): Mean => {
  let sum = 0;
  let squares = 0;
  let count = 0;
  for (let place = 0; place < rows.length; place++) {
    const loss = losses[rows[place] as number] as number;
    if (!Number.isFinite(loss)) continue;
    sum += loss;
    squares += loss * loss;
    count += 1;
  }
  return { count, value: count > 0 ? sum / count : null, interval: meanInterval(sum, squares, count) };
});

export interface ClassShare {
  readonly index: number;
  readonly recall: Share;
  readonly precision: Share;
}

/** Recall and precision of every class, in order of index. */
export function byClass(rows: Uint32Array, { targets, predictions }: Answers, classes: number): ClassShare[] {
  const support = new Float64Array(classes);
  const predicted = new Float64Array(classes);
  const both = new Float64Array(classes);
  for (let place = 0; place < rows.length; place++) {
    const row = rows[place] as number;
    const target = targets[row] as number;
    const prediction = predictions[row] as number;
    if (target < 0 || prediction < 0 || target >= classes || prediction >= classes) continue;
    support[target] = (support[target] as number) + 1;
    predicted[prediction] = (predicted[prediction] as number) + 1;
    if (target === prediction) both[target] = (both[target] as number) + 1;
  }
  return Array.from({ length: classes }, (_, index) => ({
    index,
    recall: share(both[index] as number, support[index] as number),
    precision: share(both[index] as number, predicted[index] as number),
  }));
}

function share(correct: number, count: number): Share {
  return { correct, count, value: count > 0 ? correct / count : null, interval: wilson(correct, count) };
}
