/** Columns by which a large record's examples can be grouped. */
import { type About, MOST_VALUES } from "../../record/questions";
import type { Selection } from "../../selection/selection";

/** Columns that have few values, and more than one. */
export function groupColumns(about: About): readonly string[] {
  return about.columns.filter((one) => one.distinct > 1 && one.distinct <= MOST_VALUES).map((one) => one.name);
}

/** The column that was wanted, else the first that can group; null where there is none. */
export function groupColumn(about: About, wanted: string): string | null {
  const columns = groupColumns(about);
  return columns.includes(wanted) ? wanted : (columns[0] ?? null);
}

/** What selects a value of a column. */
export function valuePatch(columns: Selection["columns"], column: string, value: string): Partial<Selection> {
  return { columns: { ...columns, [column]: value } };
}
