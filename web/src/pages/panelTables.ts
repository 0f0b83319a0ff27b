/** A panel's lists as tables: the plainest honest view of numbers, also of lenses that the app has no page for. */
import type { Scalar } from "../record/examples";
import { type TableModel, tableOf } from "../shell/table";

export function panelTables(panel: object): TableModel[] {
  const single: [string, Scalar][] = [];
  const tables: TableModel[] = [];
  for (const [name, value] of Object.entries(panel)) {
    if (name === "findings" || name === "lens") continue;
    if (Array.isArray(value) && value.length > 0 && isPlain(value[0])) {
      const columns = Object.keys(value[0]);
      const rows = value.map((row: Record<string, unknown>) => columns.map((column) => scalar(row[column])));
      tables.push(tableOf(name.replaceAll("_", " "), columns, rows));
    } else single.push([name, scalar(value)]);
  }
  return single.length > 0 ? [...tables, tableOf("single values", ["name", "value"], single)] : tables;
}

function isPlain(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function scalar(value: unknown): Scalar {
  if (value === null || value === undefined) return null;
  if (typeof value === "string" || typeof value === "number" || typeof value === "boolean") return value;
  const text = JSON.stringify(value);
  return text.length > 120 ? `${text.slice(0, 119)}…` : text;
}
