/** Accuracy and mean loss of any selection, from typed arrays. Examples without target or prediction do not count. */
import { ofSelection, remembered } from "./chosen";
import { talliesOf } from "./classification";
import { confusionOf } from "./confusion";
import { type Bounds, meanInterval, wilson } from "./intervals";
import { keepsDigits, left, ofMost } from "./remaining";
import { tally } from "./tally";

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

/** Outcomes of an answer. */
export const WRONG = 0;
export const RIGHT = 1;
/** Without a target or a prediction. */
export const UNKNOWN = 2;

/** The outcome of each row; made once for a record. */
export const outcomesOf = remembered((predictions: Int32Array, targets: Int32Array): Uint8Array => {
  const outcomes = new Uint8Array(targets.length);
  for (let row = 0; row < outcomes.length; row++) {
    const target = targets[row] as number;
    const prediction = predictions[row] as number;
    outcomes[row] = target < 0 || prediction < 0 ? UNKNOWN : target === prediction ? RIGHT : WRONG;
  }
  return outcomes;
});

export function accuracyOf(rows: Uint32Array, { targets, predictions }: Answers): Share {
  const [wrong = 0, right = 0] = tally(rows, outcomesOf(predictions, targets), UNKNOWN + 1);
  return share(right, right + wrong);
}

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
  const { sum, squares, count } = lossSums(rows, losses);
  return { count, value: count > 0 ? sum / count : null, interval: lossInterval(losses, sum, squares, count) };
}

/** Of a mean of losses; where none of the record's is negative no mean is, and the interval is cut at 0. */
export function lossInterval(losses: Float64Array, sum: number, squares: number, count: number): Bounds | null {
  const found = meanInterval(sum, squares, count);
  return found && found.low < 0 && !anyNegative(losses) ? { low: 0, high: found.high } : found;
}

const anyNegative = remembered((losses: Float64Array) => losses.some((loss) => loss < 0));

/** Sums over the losses that are defined; made once for a selection. */
export const lossSums = ofSelection(
  (rows, losses: Float64Array): LossSums =>
    ofMost(
      rows,
      losses.length,
      (some) => rowByRow(some, losses),
      (every) => lossSums(every, losses),
      lessRest,
    ),
);

export interface LossSums {
  readonly count: number;
  readonly sum: number;
  readonly squares: number;
}

function lessRest(all: LossSums, rest: LossSums): LossSums | null {
  const squares = all.squares - rest.squares;
  return keepsDigits(squares, all.squares)
    ? { count: all.count - rest.count, sum: left(all.sum, rest.sum), squares }
    : null;
}

function rowByRow(rows: Uint32Array, losses: Float64Array): LossSums {
  const counted = allDefined(losses) ? rows : rows.filter((row) => Number.isFinite(losses[row]));
  // Two sums beside one another, so that neither waits for the other.
  let [even, odd, evenSquares, oddSquares] = [0, 0, 0, 0];
  for (let place = 0; place < counted.length; place += 2) {
    const one = losses[counted[place] as number] as number;
    const other = place + 1 < counted.length ? (losses[counted[place + 1] as number] as number) : 0;
    even += one;
    odd += other;
    evenSquares += one * one;
    oddSquares += other * other;
  }
  return { sum: even + odd, squares: evenSquares + oddSquares, count: counted.length };
}

const allDefined = remembered((losses: Float64Array) => losses.every(Number.isFinite));

export interface ClassShare {
  readonly index: number;
  readonly recall: Share;
  readonly precision: Share;
}

/** Recall and precision of every class, in order of index. */
export function byClass(rows: Uint32Array, answers: Answers, classes: number): ClassShare[] {
  const { support, predicted, right } = talliesOf(confusionOf(rows, answers, classes), classes);
  return Array.from({ length: classes }, (_, index) => ({
    index,
    recall: share(right[index] as number, support[index] as number),
    precision: share(right[index] as number, predicted[index] as number),
  }));
}

function share(correct: number, count: number): Share {
  return { correct, count, value: count > 0 ? correct / count : null, interval: wilson(correct, count) };
}
