/** What pages ask of the selected examples, one interface for examples at hand and for a server that holds too many to send. */
import type { ConfusionCounts } from "../measures/confusion";
import type { Selection } from "../selection/selection";
import type { Examples } from "./examples";

/** Sums over some examples: a loss that is not finite is in none. */
export interface Sums {
  readonly examples: number;
  /** With both a target and a prediction. */
  readonly judged: number;
  readonly correct: number;
  readonly losses: number;
  readonly lossSum: number;
  readonly lossSquares: number;
}

/** Sums by class, in order of index; classes without examples are not there. */
export interface ClassSums {
  readonly classes: Int32Array;
  /** Judged examples of the class, those that are given it, and those of both. */
  readonly support: Float64Array;
  readonly predicted: Float64Array;
  readonly correct: Float64Array;
  readonly losses: Float64Array;
  readonly lossSum: Float64Array;
  readonly lossSquares: Float64Array;
}

export interface ValueSums extends Sums {
  readonly value: string;
}

/** A column that came along with the examples. */
export interface AskedColumn {
  readonly name: string;
  readonly kind: "text" | "number" | "boolean";
  readonly distinct: number;
}

export interface About {
  readonly examples: number;
  /** The largest finite loss; 0 where there is none. */
  readonly mostLoss: number;
  readonly columns: readonly AskedColumn[];
}

export interface Order {
  /** A column of the examples table. */
  readonly column: string;
  readonly descending: boolean;
}

/** Some examples in an order: `rows[place]` is whose the place in `examples` is. */
export interface Listed {
  readonly rows: Float64Array;
  readonly examples: Examples;
}

/** More examples than this are not sent to a browser; pellucid.server.questions.LARGE. */
export const MOST_HELD = 2_000_000;
/** Bins of the loss and of the confidence that are counted. */
export const LOSS_BINS = 48;
export const FINE_BINS = 3000;
/** Columns of more values than this are no way to group. */
export const MOST_VALUES = 200;

export interface FineCounts {
  readonly counts: Float64Array;
  readonly confidences: Float64Array;
  readonly correct: Float64Array;
}

export interface Questions {
  about(): Promise<About>;
  totals(of: Selection): Promise<Sums>;
  classes(of: Selection): Promise<ClassSums>;
  cells(of: Selection): Promise<ConfusionCounts>;
  /** Counts on the bins that `lossBins` has, of which there are LOSS_BINS. */
  losses(of: Selection): Promise<Float64Array>;
  /** By the bins of confidence that `fineOf` has. */
  confidences(of: Selection): Promise<FineCounts>;
  /** Examples by the rank of their target, 0 the first, up to the last that occurs. */
  ranks(of: Selection): Promise<Float64Array>;
  /** By the value of a column, most examples first; null where it has too many. */
  values(of: Selection, column: string): Promise<readonly ValueSums[] | null>;
  list(of: Selection, by: Order, offset: number, limit: number): Promise<Listed>;
}
