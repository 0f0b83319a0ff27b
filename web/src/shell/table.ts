/** A table behind a picture: columns and cells by row number, so that a million rows cost nothing until shown. */
import type { Width } from "../marks/fitting";
import { number, percent, plain } from "../marks/format";
import { orderOf } from "../measures/order";
import type { Scalar } from "../record/examples";

/** Above so many distinct texts the order is that of their code points: comparing as people do would take seconds. */
const MOST_COLLATED = 50_000;

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
  /** The rows stand in the order that is asked for already. */
  readonly ordered?: boolean;
  /** Called with the row that was clicked. */
  open?(row: number): void;
  isCurrent?(row: number): boolean;
}

/** A table from plain rows of values; the columns of these names hold `shares`, which read as percent. */
export function tableOf(
  title: string,
  columns: readonly string[],
  rows: readonly (readonly Scalar[])[],
  shares: readonly string[] = [],
): TableModel {
  return {
    title,
    count: rows.length,
    columns: columns.map((name, index) => ({
      id: String(index),
      title: name,
      numeric: rows.some((row) => typeof row[index] === "number"),
      cell: (row) => rows[row]?.[index] ?? null,
      ...(shares.includes(name) ? { text: (row: number) => shareText(rows[row]?.[index] ?? null) } : {}),
    })),
  };
}

const shareText = (value: Scalar): string => (typeof value === "number" ? percent(value) : "");

const LEAST = { number: 80, text: 112 };
const MOST_TITLED = 200;
/** Beside a title: the cell's padding, and an arrow where it is sorted by. */
const AROUND = 16 + 16;

/** Pixels that a column needs at least: to say its title whole, unless strangers wrote it. */
export function leastRoom(column: TableColumn, width: Width): number {
  if (column.width) return column.width;
  const title = width(column.title) + (column.unit ? width(column.unit) + 4 : 0) + AROUND;
  return Math.ceil(Math.max(column.numeric ? LEAST.number : LEAST.text, Math.min(title, MOST_TITLED)));
}

export function textOf(column: TableColumn, row: number): string {
  if (column.text) return column.text(row);
  const value = column.cell(row);
  if (value === null) return "";
  if (typeof value === "boolean") return value ? "yes" : "no";
  return typeof value === "number" && !Number.isInteger(value) ? number(value, 4) : plain(String(value));
}

/** Order of the rows by a column; missing values last either way. The sort is stable. */
export function sortedRows(model: TableModel, column: TableColumn, descending: boolean): Uint32Array {
  const values = new Float64Array(model.count);
  if (column.numeric) {
    for (let row = 0; row < values.length; row++) {
      const value = column.cell(row);
      values[row] = typeof value === "number" ? value : typeof value === "boolean" ? Number(value) : Number.NaN;
    }
  } else rankTexts(column, values);
  return orderOf(values, descending);
}

/** Gives each text its place among the distinct ones; null stays missing. */
function rankTexts(column: TableColumn, ranks: Float64Array): void {
  const texts = Array.from(ranks, (_, row) => column.cell(row));
  const distinct = [...new Set(texts)].filter((text) => text !== null).map(String);
  if (distinct.length <= MOST_COLLATED) distinct.sort(new Intl.Collator(undefined, { numeric: true }).compare);
  else distinct.sort();
  const places = new Map(distinct.map((text, index) => [text, index]));
  texts.forEach((text, row) => {
    ranks[row] = text === null ? Number.NaN : (places.get(String(text)) ?? Number.NaN);
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
