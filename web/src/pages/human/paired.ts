/** Rows that hold people's share beside the model's. */
import type { Interval } from "../../record/schema.gen";

export interface Mark {
  readonly value: number | null;
  readonly interval: Interval | null;
  readonly lines: readonly string[];
}

export interface PairedRow {
  readonly key: string;
  readonly label: string;
  readonly people: Mark | null;
  readonly model: Mark | null;
  /** One small mark a person. */
  readonly persons?: readonly Mark[];
  readonly href?: string;
  readonly current?: boolean;
  /** Stands behind the name: a row of its own importance. */
  readonly strong?: boolean;
}
/** A tenth below all that is drawn where that is above one half, else zero. */
export function startOf(rows: readonly PairedRow[]): number {
  const all = rows.flatMap((row) => [row.people, row.model, ...(row.persons ?? [])]);
  const least = Math.min(
    1,
    ...all.flatMap((one) => (one?.value == null ? [] : [one.value, one.interval?.low ?? one.value])),
  );
  return least < 0.5 || all.every((one) => one?.value == null) ? 0 : Math.min(0.9, Math.floor(10 * least) / 10);
}
