/** The examples table's columns as people read them. */
import { number, percent } from "../../marks/format";
import { Ordered } from "../../measures/chosen";
import type { Examples } from "../../record/examples";
import { sortedRows, type TableColumn } from "../../shell/table";

interface Words {
  readonly className: (index: number) => string;
  readonly lossUnit: string;
}

/** Classes of which several may be true, as one text; null where they are not known. */
export function setWords(classes: readonly number[] | null, className: Words["className"]): string | null {
  return classes && (classes.map(className).join(", ") || "none");
}

/** Cells are asked for by row of the examples table. */
export function exampleColumns(examples: Examples, { className, lossUnit }: Words): TableColumn[] {
  const real = (values: Float32Array | Float64Array) => (row: number) => {
    const value = values[row] ?? Number.NaN;
    return Number.isNaN(value) ? null : value;
  };
  const named = (values: Int32Array) => (row: number) => {
    const index = values[row] ?? -1;
    return index < 0 ? null : className(index);
  };
  const set = (of: (row: number) => number[] | null) => (row: number) => setWords(of.call(examples, row), className);
  const { numbers } = examples;
  const columns: TableColumn[] = [
    { id: "id", title: "example", cell: (row) => examples.id(row), width: 144 },
    numbers
      ? { id: "target", title: "target", numeric: true, cell: real(numbers), text: (row) => number(numbers[row]) }
      : examples.hasSets
        ? { id: "target", title: "true", help: "Every class that is true", cell: set(examples.classesOf), width: 176 }
        : { id: "target", title: "true", help: "The class that the label gives", cell: named(examples.targets) },
    examples.hasSets
      ? {
          id: "prediction",
          title: "called",
          help: "Every class from a probability of a half on",
          cell: set(examples.calledOf),
          width: 176,
        }
      : { id: "prediction", title: "predicted", help: "The most probable class", cell: named(examples.predictions) },
    {
      id: "loss",
      title: "loss",
      unit: lossUnit,
      numeric: true,
      cell: real(examples.losses),
      text: (row) => number(examples.losses[row]),
    },
    {
      id: "confidence",
      title: "confidence",
      help: "Probability of the most probable class",
      numeric: true,
      cell: real(examples.confidences),
      text: (row) => percent(examples.confidences[row]),
    },
    {
      id: "margin",
      title: "margin",
      help: "Probability of the most probable class minus that of the second",
      numeric: true,
      cell: real(examples.margins),
      text: (row) => percent(examples.margins[row]),
    },
    {
      id: "entropy",
      title: "entropy",
      unit: "nats",
      numeric: true,
      cell: real(examples.entropies),
      text: (row) => number(examples.entropies[row]),
    },
    {
      id: "rank",
      title: "rank of true",
      help: "1 when the true class is the most probable",
      numeric: true,
      cell: (row) => ((examples.ranks[row] ?? -1) < 0 ? null : (examples.ranks[row] ?? 0) + 1),
    },
  ];
  for (const [name, column] of examples.columns) {
    columns.push({
      id: `column.${name}`,
      title: name || "(no name)",
      numeric: column.numeric,
      cell: (row) => column.at(row),
    });
  }
  return columns;
}

/** Fewer rows than this part of all are sorted by themselves; more are picked out of the order of all. */
const FEW = 1 / 64;
const MOST_ORDERS = 4;
const orders = new WeakMap<Examples, Map<string, Uint32Array>>();

/** Rows in some order, as far as someone looks. */
export interface RowList {
  readonly length: number;
  /** -1 behind the last. */
  at(place: number): number;
  first(many: number): Uint32Array;
}

const listed = (rows: Uint32Array): RowList => ({
  length: rows.length,
  at: (place) => rows[place] ?? -1,
  first: (many) => rows.subarray(0, many),
});

/** The rows sorted by a column; the order of all examples is made once, of the last few columns that were asked for. */
export function orderedRows(
  examples: Examples,
  columns: readonly TableColumn[],
  rows: Uint32Array,
  id: string,
  descending: boolean,
): RowList {
  const column = columns.find((one) => one.id === id);
  if (!column) return listed(rows);
  if (rows.length < FEW * examples.count) {
    const own = { ...column, cell: (index: number) => column.cell(rows[index] as number) };
    const order = sortedRows({ title: "", columns: [], count: rows.length }, own, descending);
    return listed(order.map((index) => rows[index] as number));
  }
  const known = orders.get(examples) ?? new Map<string, Uint32Array>();
  orders.set(examples, known);
  const key = `${id} ${descending} ${column.title}`;
  const order = known.get(key) ?? sortedRows({ title: "", columns: [], count: examples.count }, column, descending);
  known.delete(key);
  known.set(key, order);
  const oldest = known.keys().next().value;
  if (known.size > MOST_ORDERS && oldest !== undefined) known.delete(oldest);
  return rows.length === examples.count ? listed(order) : new Ordered(order, rows, examples.count);
}
