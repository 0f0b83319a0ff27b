/** Ways to group examples: by a class, or by a column that came along and has few values. */
import type { Examples } from "../../record/examples";
import type { Selection } from "../../selection/selection";

/** A column with more values than this is no way to group. */
const MOST_VALUES = 200;

export interface Grouping {
  /** As it stands in the URL: "true", "predicted", "column.<name>". */
  readonly id: string;
  readonly title: string;
  readonly size: number;
  codes(): Int32Array;
  nameOf(group: number): string;
  /** What selects a group. */
  patchOf(group: number): Partial<Selection>;
}

export function groupingsOf(
  examples: Examples,
  classes: number,
  className: (index: number) => string,
  columns: Selection["columns"],
): Grouping[] {
  const found: Grouping[] = [];
  if (classes > 0) {
    found.push({
      id: "true",
      title: "true class",
      size: classes,
      codes: () => examples.targets,
      nameOf: className,
      patchOf: (group) => ({ true: [group] }),
    });
    found.push({
      id: "predicted",
      title: "predicted class",
      size: classes,
      codes: () => examples.predictions,
      nameOf: className,
      patchOf: (group) => ({ predicted: [group] }),
    });
  }
  for (const [name, column] of examples.columns) {
    const { values } = column;
    if (values.length < 2 || values.length > MOST_VALUES) continue;
    found.push({
      id: `column.${name}`,
      title: name,
      size: values.length,
      codes: () => column.codes,
      nameOf: (group) => values[group] || "(none)",
      patchOf: (group) => ({ columns: { ...columns, [name]: values[group] ?? "" } }),
    });
  }
  return found;
}
