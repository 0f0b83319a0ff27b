/** The parts of a selection in words: what the selection bar shows, one chip a part. */
import { count, number, percent } from "../marks/format";
import { valueName } from "../selection/columns";
import type { Selection } from "../selection/selection";

/** Classes of a block are many: these are named, the others counted. */
const MOST_NAMED = 3;

export interface Chip {
  readonly key: string;
  /** "true class" */
  readonly name: string;
  readonly value: string;
  /** What to change to take this part away. */
  readonly without: Partial<Selection>;
  /** Filters the examples, against a thing in hand. */
  readonly filters: boolean;
}

export function chipsOf(
  selection: Selection,
  className: (index: number) => string,
  idOf: (row: number) => string,
): Chip[] {
  const chips: Chip[] = [];
  const put = (key: string, name: string, value: string, without: Partial<Selection>, filters: boolean) =>
    chips.push({ key, name, value, without, filters });
  const classes = (indices: readonly number[]) =>
    indices.length > MOST_NAMED + 1
      ? `${indices.slice(0, MOST_NAMED).map(className).join(", ")} and ${count(indices.length - MOST_NAMED)} more`
      : indices.map(className).join(", ");
  if (selection.true.length > 0) put("true", "true", classes(selection.true), { true: [] }, true);
  if (selection.predicted.length > 0)
    put("predicted", "predicted", classes(selection.predicted), { predicted: [] }, true);
  if (selection.class.length > 0) put("class", "true or predicted", classes(selection.class), { class: [] }, true);
  if (selection.outcome) put("outcome", "answer", selection.outcome, { outcome: null }, true);
  if (selection.losses) {
    const { low, high } = selection.losses;
    put("losses", "loss", `${number(low)} to ${number(high)}`, { losses: null }, true);
  }
  if (selection.confidences) {
    const { low, high } = selection.confidences;
    put("confidences", "confidence", `${percent(low)} to ${percent(high)}`, { confidences: null }, true);
  }
  if (selection.rows) put("rows", "listed", `${selection.rows.length} examples`, { rows: null }, true);
  for (const [name, value] of Object.entries(selection.columns)) {
    const { [name]: _, ...others } = selection.columns;
    put(`column.${name}`, name, valueName(value), { columns: others }, true);
  }
  if (selection.example !== null) {
    put("example", "example", idOf(selection.example), { example: null, explained: null }, false);
  }
  if (selection.layer !== null) put("layer", "layer", selection.layer, { layer: null, unit: null }, false);
  if (selection.unit !== null) put("unit", "unit", String(selection.unit), { unit: null }, false);
  if (selection.step !== null) put("step", "step", String(selection.step), { step: null }, false);
  if (selection.explained !== null) {
    put("explained", "explained", className(selection.explained), { explained: null }, false);
  }
  return chips;
}
