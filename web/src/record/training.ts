/** What a Watch saw: one row a value. */
import { tableFromIPC } from "@uwdata/flechette";

export interface TrainingRow {
  readonly step: number;
  readonly seconds: number;
  /** "" for the whole model. */
  readonly layer: string;
  readonly quantity: string;
  /** null for histograms, or where it was not finite. */
  readonly value: number | null;
  readonly bins: ArrayLike<number> | null;
  readonly counts: ArrayLike<number> | null;
}

export interface TrainingPart {
  readonly rows: readonly TrainingRow[];
  /** What to ask for next time to get only what is new. */
  readonly cursor: number;
}

export function parseTraining(buffer: ArrayBuffer, cursor: number): TrainingPart {
  const table = tableFromIPC(new Uint8Array(buffer), { useBigInt: false });
  const column = (name: string) => {
    const child = table.getChild(name);
    if (!child) throw new Error(`The training table has no column "${name}"; it has ${table.names.join(", ")}.`);
    return child;
  };
  const [step, seconds, layer, quantity] = [column("step"), column("seconds"), column("layer"), column("quantity")];
  const [value, bins, counts] = [column("value"), column("bins"), column("counts")];
  const rows: TrainingRow[] = [];
  for (let row = 0; row < table.numRows; row++) {
    rows.push({
      step: Number(step.at(row)),
      seconds: Number(seconds.at(row)),
      layer: String(layer.at(row) ?? ""),
      quantity: String(quantity.at(row)),
      value: value.at(row) as number | null,
      bins: bins.at(row) as ArrayLike<number> | null,
      counts: counts.at(row) as ArrayLike<number> | null,
    });
  }
  return { rows, cursor };
}
