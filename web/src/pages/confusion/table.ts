/** The matrix as a table, a row a cell that holds something; nothing is made until it is read. */
import type { TableModel } from "../../shell/table";
import type { Axis } from "./axis";
import type { Cells, Margins } from "./matrix";

export function cellTable(cells: Cells, sums: Margins, axis: Axis): TableModel {
  const row = (cell: number) => cells.rows[cell] ?? -1;
  const column = (cell: number) => cells.columns[cell] ?? -1;
  const name = (entry: number) => axis.entries[entry]?.name ?? "";
  const share = (cell: number, whole: number | undefined) => (whole ? (cells.counts[cell] ?? 0) / whole : null);
  return {
    title: "confusion",
    count: cells.counts.length,
    columns: [
      { id: "true", title: "true", cell: (cell) => name(row(cell)) },
      { id: "predicted", title: "predicted", cell: (cell) => name(column(cell)) },
      { id: "examples", title: "examples", numeric: true, cell: (cell) => cells.counts[cell] ?? 0 },
      {
        id: "of-true",
        title: "share of the true class",
        numeric: true,
        cell: (cell) => share(cell, sums.rows[row(cell)]),
      },
      {
        id: "of-predicted",
        title: "share of the predicted class",
        numeric: true,
        cell: (cell) => share(cell, sums.columns[column(cell)]),
      },
    ],
  };
}
