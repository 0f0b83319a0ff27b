/** What the views of this page share of the record: receptive fields and windows, asked for once. */
import type { Tensor } from "../../record/safetensors";
import type { FieldLayer, PoolCall } from "../../record/schema.gen";
import { instrument } from "../../selection/instrument.svelte";
import { type Box, boxOf, type Windows } from "./fields";

const whole = (name: string): Tensor | null => instrument.array("mapping", name).value;

/** What the mapping panel says of a layer; null where it has no receptive field. */
export function fieldOf(index: number): FieldLayer | null {
  return instrument.panel("mapping").value?.layers.find((layer) => layer.index === index) ?? null;
}

/** The box of the input that a position of a layer can depend on; null until it is known, or where it sees nothing. */
export function boxAt(index: number, position: number): Box | null {
  const field = fieldOf(index);
  if (!field || position < 0) return null;
  const apart = field.grid.length === 2;
  const [rows, columns] = apart ? [whole(`${index}.rows`), whole(`${index}.columns`)] : [null, null];
  const boxes = rows && columns ? null : whole(`${index}.boxes`);
  return boxOf(position, field.grid, { rows, columns, boxes });
}

/** The windows of a pooling by its place in the panel; null until they are there. */
export function windowsOf(pool: PoolCall, place: number): Windows | null {
  const [rows, columns] = [whole(`pool.${place}.rows`), whole(`pool.${place}.columns`)];
  if (!rows || !columns) return null;
  const divisor = pool.kind === "average" ? whole(`pool.${place}.divisor`) : null;
  return { kind: pool.kind === "max" ? "max" : "average", rows, columns, divisor };
}
