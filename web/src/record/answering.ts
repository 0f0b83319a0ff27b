/** The same questions answered from the examples at hand. */
import { type ConfusionCounts, confusionOf } from "../measures/confusion";
import { lossBins } from "../measures/loss";
import { fineOf } from "../measures/miscalibration";
import { orderOf } from "../measures/order";
import { rankCounts } from "../measures/ranking";
import { selectRows } from "../selection/filter";
import type { Selection } from "../selection/selection";
import type { Examples } from "./examples";
import {
  type About,
  type ClassSums,
  type FineCounts,
  type Listed,
  LOSS_BINS,
  MOST_VALUES,
  type Order,
  type Questions,
  type Sums,
  type ValueSums,
} from "./questions";

export class OwnQuestions implements Questions {
  readonly #examples: Examples;
  readonly #classes: number;

  /** `classes` is how many there are. */
  constructor(examples: Examples, classes: number) {
    this.#examples = examples;
    this.#classes = classes;
  }

  async about(): Promise<About> {
    const { count, losses, columns } = this.#examples;
    return {
      examples: count,
      mostLoss: losses.reduce((most, loss) => (Number.isFinite(loss) && loss > most ? loss : most), 0),
      columns: [...columns.values()].map((column) => ({
        name: column.name,
        kind: column.numeric ? "number" : typeof column.at(0) === "boolean" ? "boolean" : "text",
        distinct: column.values.length,
      })),
    };
  }

  async totals(of: Selection): Promise<Sums> {
    return this.#summed(this.#rows(of));
  }

  async classes(of: Selection): Promise<ClassSums> {
    const { targets, predictions, losses } = this.#examples;
    const [support, predicted, correct, counts, lossSum, lossSquares] = Array.from(
      { length: 6 },
      () => new Float64Array(this.#classes),
    ) as [Float64Array, Float64Array, Float64Array, Float64Array, Float64Array, Float64Array];
    const there = new Uint8Array(this.#classes);
    for (const row of this.#rows(of)) {
      const [target, prediction, loss] = [targets[row] as number, predictions[row] as number, losses[row] as number];
      if (target < 0) continue;
      there[target] = 1;
      if (prediction >= 0) {
        there[prediction] = 1;
        support[target] = (support[target] as number) + 1;
        predicted[prediction] = (predicted[prediction] as number) + 1;
        if (target === prediction) correct[target] = (correct[target] as number) + 1;
      }
      if (!Number.isFinite(loss)) continue;
      counts[target] = (counts[target] as number) + 1;
      lossSum[target] = (lossSum[target] as number) + loss;
      lossSquares[target] = (lossSquares[target] as number) + loss * loss;
    }
    const classes = Int32Array.from(there.keys()).filter((index) => there[index] === 1);
    const at = (all: Float64Array) => Float64Array.from(classes, (index) => all[index] as number);
    return {
      classes,
      support: at(support),
      predicted: at(predicted),
      correct: at(correct),
      losses: at(counts),
      lossSum: at(lossSum),
      lossSquares: at(lossSquares),
    };
  }

  async cells(of: Selection): Promise<ConfusionCounts> {
    return confusionOf(this.#rows(of), this.#examples, this.#classes);
  }

  async losses(of: Selection): Promise<Float64Array> {
    return Float64Array.from(lossBins(this.#examples.losses, this.#rows(of), LOSS_BINS), (bin) => bin.part);
  }

  async confidences(of: Selection): Promise<FineCounts> {
    return fineOf(this.#rows(of), this.#examples);
  }

  async ranks(of: Selection): Promise<Float64Array> {
    return rankCounts(this.#rows(of), this.#examples.ranks);
  }

  async values(of: Selection, name: string): Promise<readonly ValueSums[] | null> {
    const column = this.#examples.columns.get(name);
    if (!column || column.values.length > MOST_VALUES) return null;
    const rows = this.#rows(of);
    return column.values
      .map((value, code) => ({ value, ...this.#summed(rows.filter((row) => column.codes[row] === code)) }))
      .filter((one) => one.examples > 0)
      .sort((a, b) => b.examples - a.examples || (a.value < b.value ? -1 : 1));
  }

  async list(of: Selection, by: Order, offset: number, limit: number): Promise<Listed> {
    const rows = this.#rows(of);
    const values = Float64Array.from(rows, (row) => this.#value(by.column, row));
    const order = orderOf(values, by.descending).subarray(offset, offset + limit);
    return { rows: Float64Array.from(order, (place) => rows[place] as number), examples: this.#examples };
  }

  #value(column: string, row: number): number {
    const { targets, predictions, losses, confidences, entropies, margins, ranks, columns } = this.#examples;
    const index = (value: number) => (value < 0 ? Number.NaN : value);
    if (column === "row") return row;
    if (column === "target") return index(targets[row] as number);
    if (column === "prediction") return index(predictions[row] as number);
    if (column === "rank") return index(ranks[row] as number);
    const own = { loss: losses, confidence: confidences, entropy: entropies, margin: margins }[column];
    return (own ?? columns.get(column)?.numbers)?.[row] ?? Number.NaN;
  }

  #rows(of: Selection): Uint32Array {
    return selectRows(this.#examples, of, this.#classes);
  }

  #summed(rows: Uint32Array): Sums {
    const { targets, predictions, losses } = this.#examples;
    let [judged, correct, counted, lossSum, lossSquares] = [0, 0, 0, 0, 0];
    for (const row of rows) {
      const [target, prediction, loss] = [targets[row] as number, predictions[row] as number, losses[row] as number];
      if (target >= 0 && prediction >= 0) {
        judged += 1;
        if (target === prediction) correct += 1;
      }
      if (!Number.isFinite(loss)) continue;
      counted += 1;
      lossSum += loss;
      lossSquares += loss * loss;
    }
    return { examples: rows.length, judged, correct, losses: counted, lossSum, lossSquares };
  }
}
