/** A table behind a picture: columns and cells by row number, so that a million rows cost nothing until shown. */
import type { Scalar } from "../record/examples";

export interface TableColumn {
  readonly id: string;
  readonly title: string;
  /** "nats", "%": stands behind the title. */
  readonly unit?: string;
  readonly numeric?: boolean;
  /** Pixels. */
  readonly width?: number;
  /** Said when the title is pointed at. */
  readonly help?: string;
  /** The value for sorting and for CSV. */
  cell(row: number): Scalar;
  /** How it reads on screen; the value itself where absent. */
  text?(row: number): string;
}

export interface TableModel {
  /** Stands in the file name and the caption. */
  readonly title: string;
  readonly columns: readonly TableColumn[];
  readonly count: number;
  /** Called with the row that was clicked. */
  open?(row: number): void;
  isCurrent?(row: number): boolean;
}

/** A table from plain rows of values. */
export function tableOf(title: string, columns: readonly string[], rows: readonly (readonly Scalar[])[]): TableModel {
  return {
    title,
    count: rows.length,
    columns: columns.map((name, index) => ({
      id: name,
      title: name,
      numeric: rows.some((row) => typeof row[index] === "number"),
      cell: (row) => rows[row]?.[index] ?? null,
    })),
  };
}

export function textOf(column: TableColumn, row: number): string {
  if (column.text) return column.text(row);
  const value = column.cell(row);
  if (value === null) return "";
  if (typeof value === "boolean") return value ? "yes" : "no";
  return String(value);
}

/** Order of the rows by a column; missing values last either way. The sort is stable. */
export function sortedRows(model: TableModel, column: TableColumn, descending: boolean): Uint32Array {
  const rows = new Uint32Array(model.count);
  for (let row = 0; row < rows.length; row++) rows[row] = row;
  const direction = descending ? -1 : 1;
  if (column.numeric) {
    const values = Float64Array.from(rows, (row) => {
      const value = column.cell(row);
      return typeof value === "number" ? value : typeof value === "boolean" ? Number(value) : Number.NaN;
    });
    return rows.sort((a, b) => {
      const [one, other] = [values[a] as number, values[b] as number];
      if (Number.isNaN(one) || Number.isNaN(other)) return Number(Number.isNaN(one)) - Number(Number.isNaN(other));
      return direction * (one - other) || a - b;
    });
  }
  const collator = new Intl.Collator(undefined, { numeric: true });
  const texts = Array.from(rows, (row) => column.cell(row));
  return rows.sort((a, b) => {
    const [one, other] = [texts[a] ?? null, texts[b] ?? null];
    if (one === null || other === null) return Number(one === null) - Number(other === null);
    return direction * collator.compare(String(one), String(other)) || a - b;
  });
}

/** RFC 4180, with a first line of titles. A cell that a spreadsheet would run as a formula is quoted as text. */
export function csvOf(model: TableModel): string {
  const lines = [model.columns.map((column) => quote(column.unit ? `${column.title} (${column.unit})` : column.title))];
  for (let row = 0; row < model.count; row++) {
    lines.push(
      model.columns.map((column) => {
        const value = column.cell(row);
        return typeof value === "string" ? quote(value) : value === null || Number.isNaN(value) ? "" : String(value);
      }),
    );
  }
  return `${lines.map((line) => line.join(",")).join("\r\n")}\r\n`;
}

function quote(text: string): string {
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
