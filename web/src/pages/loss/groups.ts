/** Ways to group examples: by a class, or by a column that came along, of few values or of numbers, which are cut into ranges. */
import type { Examples } from "../../record/examples";
import { columnGroups } from "../../selection/columns";
import type { Selection } from "../../selection/selection";

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
  hidden: ReadonlySet<string> = new Set(),
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
    if (hidden.has(name)) continue;
    const groups = columnGroups(column);
    if (!groups || groups.size < 2) continue;
    found.push({
      id: `column.${name}`,
      title: name,
      size: groups.size,
      codes: () => groups.codes,
      nameOf: (group) => groups.nameOf(group) || "(none)",
      patchOf: (group) => ({ columns: { ...columns, [name]: groups.textOf(group) } }),
    });
  }
  return found;
}
