/** Questions that a server answers, in small tables: GET /api/questions/<question>?<selection>. */
import { tableFromIPC } from "@uwdata/flechette";
import type { ConfusionCounts } from "../measures/confusion";
import { EMPTY, NOTHING_IN_HAND, type Selection, writeSelection } from "../selection/selection";
import { Examples } from "./examples";
import {
  type About,
  type ClassSums,
  FINE_BINS,
  type FineCounts,
  type Listed,
  LOSS_BINS,
  MOST_VALUES,
  type Order,
  type Questions,
  type Sums,
  type ValueSums,
} from "./questions";
import type { TableLike } from "./table";

/** Gives what stands at a path under /api/questions; raises what the server refuses. */
export type Fetched = (path: string) => Promise<Response>;

interface SaidAbout {
  readonly examples: number;
  readonly most_loss: number;
  readonly columns: About["columns"];
}

export class AskedQuestions implements Questions {
  readonly #fetched: Fetched;
  #about: Promise<About> | null = null;

  constructor(fetched: Fetched) {
    this.#fetched = fetched;
  }

  about(): Promise<About> {
    this.#about ??= this.#fetched("").then(async (answer) => {
      const said = (await answer.json()) as SaidAbout;
      return { examples: said.examples, mostLoss: said.most_loss, columns: said.columns };
    });
    return this.#about;
  }

  async totals(of: Selection): Promise<Sums> {
    return sumsOf(await this.#table("totals", of))(0);
  }

  async classes(of: Selection): Promise<ClassSums> {
    return classSums(await this.#table("classes", of));
  }

  async cells(of: Selection): Promise<ConfusionCounts> {
    const table = await this.#table("cells", of);
    return {
      rows: Int32Array.from(numbers(table, "class")),
      columns: Int32Array.from(numbers(table, "prediction")),
      counts: numbers(table, "examples"),
    };
  }

  async losses(of: Selection): Promise<Float64Array> {
    const table = await this.#table("losses", of);
    return spread(numbers(table, "bin"), numbers(table, "examples"), LOSS_BINS);
  }

  async confidences(of: Selection): Promise<FineCounts> {
    const table = await this.#table("confidences", of);
    const bins = numbers(table, "bin");
    const at = (name: string) => spread(bins, numbers(table, name), FINE_BINS);
    return { counts: at("examples"), confidences: at("confidence"), correct: at("correct") };
  }

  async ranks(of: Selection): Promise<Float64Array> {
    const table = await this.#table("ranks", of);
    const ranks = numbers(table, "rank");
    return spread(ranks, numbers(table, "examples"), (ranks[ranks.length - 1] ?? -1) + 1);
  }

  async values(of: Selection, column: string): Promise<readonly ValueSums[] | null> {
    return valueSums(await this.#table("values", of, { of: column }));
  }

  async list(of: Selection, by: Order, offset: number, limit: number): Promise<Listed> {
    const table = await this.#table("rows", of, {
      sort: by.column,
      descending: by.descending ? "1" : "0",
      limit: String(limit),
      offset: String(offset),
    });
    return { rows: numbers(table, "row"), examples: new Examples(without(table, "row")) };
  }

  async #table(question: string, of: Selection, more: Readonly<Record<string, string>> = {}): Promise<TableLike> {
    const parameters = writeSelection({ ...EMPTY, ...of, ...NOTHING_IN_HAND });
    for (const [name, value] of Object.entries(more)) parameters.set(name, value);
    return parsed(await (await this.#fetched(`/${question}?${parameters}`)).arrayBuffer());
  }
}

export function parsed(buffer: ArrayBuffer): TableLike {
  return tableFromIPC(new Uint8Array(buffer), { useBigInt: false }) as unknown as TableLike;
}

export function numbers(table: TableLike, name: string): Float64Array {
  const column = table.getChild(name);
  return Float64Array.from({ length: table.numRows }, (_, row) => Number(column?.at(row) ?? Number.NaN));
}

function spread(at: Float64Array, values: Float64Array, length: number): Float64Array {
  const found = new Float64Array(length);
  for (let place = 0; place < at.length; place++) found[at[place] as number] = values[place] as number;
  return found;
}

function sumsOf(table: TableLike): (row: number) => Sums {
  const [examples, judged, correct, losses, lossSum, lossSquares] = [
    "examples",
    "judged",
    "correct",
    "losses",
    "loss_sum",
    "loss_squares",
  ].map((name) => numbers(table, name)) as [
    Float64Array,
    Float64Array,
    Float64Array,
    Float64Array,
    Float64Array,
    Float64Array,
  ];
  return (row) => ({
    examples: examples[row] as number,
    judged: judged[row] as number,
    correct: correct[row] as number,
    losses: losses[row] as number,
    lossSum: lossSum[row] as number,
    lossSquares: lossSquares[row] as number,
  });
}

function classSums(table: TableLike): ClassSums {
  return {
    classes: Int32Array.from(numbers(table, "class")),
    support: numbers(table, "support"),
    predicted: numbers(table, "predicted"),
    correct: numbers(table, "correct"),
    losses: numbers(table, "losses"),
    lossSum: numbers(table, "loss_sum"),
    lossSquares: numbers(table, "loss_squares"),
  };
}

function valueSums(table: TableLike): readonly ValueSums[] | null {
  if (table.numRows > MOST_VALUES) return null;
  const [sums, values] = [sumsOf(table), table.getChild("value")];
  return Array.from({ length: table.numRows }, (_, row) => ({ value: String(values?.at(row) ?? ""), ...sums(row) }));
}

function without(table: TableLike, left: string): TableLike {
  const names = table.names.filter((name) => name !== left);
  return { numRows: table.numRows, names, getChild: (name) => (name === left ? null : table.getChild(name)) };
}
