/** The examples table's columns as people read them. */
import { number, percent } from "../../marks/format";
import type { Examples } from "../../record/examples";
import type { TableColumn } from "../../shell/table";

interface Words {
  readonly className: (index: number) => string;
  readonly lossUnit: string;
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
  const { numbers } = examples;
  const columns: TableColumn[] = [
    { id: "id", title: "example", cell: (row) => examples.id(row), width: 144 },
    numbers
      ? { id: "target", title: "target", numeric: true, cell: real(numbers), text: (row) => number(numbers[row]) }
      : { id: "target", title: "true", help: "The class that the label gives", cell: named(examples.targets) },
    { id: "prediction", title: "predicted", help: "The most probable class", cell: named(examples.predictions) },
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
