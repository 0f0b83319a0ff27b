/** What the views of this page share of the record: receptive fields and windows, asked for once. */
import type { FieldLayer, PoolCall } from "../../record/schema.gen";
import { instrument } from "../../selection/instrument.svelte";
import { type Box, boxOf, type Windows } from "./fields";

const loaded = (name: string) => instrument.array("mapping", name);

/** What the mapping panel says of a layer; null where it has no receptive field. */
export function fieldOf(index: number): FieldLayer | null {
  return instrument.panel("mapping").value?.layers.find((layer) => layer.index === index) ?? null;
}

/** The box of the input that a position of a layer can depend on; null until it is known, or where it sees nothing. */
export function boxAt(index: number, position: number): Box | null {
  const field = fieldOf(index);
  if (!field || position < 0) return null;
  // Rows and columns apart are the rule; only where the record has none are there boxes position by position.
  const rows = field.grid.length === 2 ? loaded(`${index}.rows`) : null;
  const columns = rows ? loaded(`${index}.columns`).value : null;
  const boxes = rows === null || rows.status === "absent" ? loaded(`${index}.boxes`).value : null;
  return boxOf(position, field.grid, { rows: rows?.value ?? null, columns, boxes });
}

/** The windows of a pooling by its place in the panel; null until they are there. */
export function windowsOf(pool: PoolCall, place: number): Windows | null {
  const [rows, columns] = [loaded(`pool.${place}.rows`).value, loaded(`pool.${place}.columns`).value];
  if (!rows || !columns) return null;
  const windowed = pool.kind === "average" && (pool.result[0] ?? 1) * (pool.result[1] ?? 1) > 1;
  const divisor = windowed ? loaded(`pool.${place}.divisor`).value : null;
  return { kind: pool.kind === "max" ? "max" : "average", rows, columns, divisor };
}
