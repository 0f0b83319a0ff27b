/** What a cell, its row and its column say in words, where an example has one class or may have several. */
import { count, number, percent, plural } from "../../marks/format";
import type { ConfusedPair } from "../../record/schema.gen";
import type { Entry } from "./axis";

/** A pair with a larger probability, corrected over all pairs, may have come about by chance. */
const DOUBTFUL = 0.01;

/** A row or a column. */
export interface Side {
  readonly name: string;
  /** Examples of the row's class, or of the column's. */
  readonly sum: number;
  /** "nothing": where an example may have several classes, what was missed or called without another in its place. */
  readonly nothing: boolean;
  /** It stands for several classes: an example counts once for each of them that it has. */
  readonly group: boolean;
}

/** `last` is the class that stands for nothing, or -1. */
export const sideOf = (entry: Entry | undefined, sum: number, last: number): Side => ({
  name: entry?.name ?? "",
  sum,
  nothing: last >= 0 && entry?.classes.length === 1 && entry.classes[0] === last,
  group: (entry?.classes.length ?? 0) > 1,
});

/** The title of a cell, and of how many it holds how many. */
export function cellWords(there: number, row: Side, column: Side, same: boolean, several: boolean): string[] {
  const of = row.sum > 0 && !(several && row.group) ? ` (${percent(there / row.sum)})` : "";
  if (!several)
    return [
      same ? `${row.name}, recognised` : `${row.name} taken for ${column.name}`,
      `${count(there)} of ${count(row.sum)} ${row.name}${of}`,
      `of ${count(column.sum)} predicted ${column.name}`,
    ];
  return [
    same && !row.group ? `${row.name}, recognised` : missed(row, column),
    `${count(there)} of ${count(row.sum)} ${row.nothing ? "examples with something called and nothing missed" : `${row.group ? "labels" : "examples"} of ${row.name}`}${of}`,
    column.nothing
      ? `of ${plural(column.sum, "example")} with something missed and nothing called in its place`
      : `of ${count(column.sum)} called ${column.name}`,
  ];
}

function missed(row: Side, column: Side): string {
  if (row.nothing) return `${column.name} called, nothing missed`;
  return `${row.name} missed, ${column.nothing ? "nothing" : column.name} called in its place`;
}

/** Recall of a row or precision of a column from what it has on the diagonal; null where it has none. */
export function rightOf(right: number, side: Side, several: boolean): number | null {
  if (side.sum <= 0 || side.nothing || (several && side.group)) return null;
  return right / side.sum;
}

/** How to read the matrix and the margins that are drawn. */
export function caption(several: boolean, recalls: boolean, precisions: boolean): string {
  const [one, other] = several
    ? [
        "recall, of the examples of which the class is true the share where it is called",
        "precision, of those of which it is called the share where it is true",
      ]
    : ["recall, the share of a row on the diagonal", "precision, the share of a column on it"];
  return [
    "Rows are true classes, columns predicted ones.",
    recalls ? `At the right: ${one}.` : "",
    precisions ? `Below: ${other}.` : "",
    several
      ? "An example with several mistakes stands in several cells: a row or column may add up to more than its examples."
      : "",
  ]
    .filter(Boolean)
    .join(" ");
}

/** How many of a confused pair there would be by chance, and whether that can be ruled out. */
export function againstChance(pair: Pick<ConfusedPair, "count" | "expected" | "p_value">): string {
  if (pair.count <= pair.expected) return "no more often than by chance";
  const many = pair.expected < 0.05 ? "less than 0.1" : number(pair.expected, 2);
  const doubt = pair.p_value < DOUBTFUL ? "" : `; not beyond doubt (p = ${number(pair.p_value, 2)})`;
  return `${many} would be expected by chance${doubt}`;
}
