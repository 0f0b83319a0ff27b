/** Values of boxes from columns alone, the same as `boxValue` and `blockValues` give call by call. */
import type { Columns } from "../../layout/types";
import { joinedBy, type Measure } from "./measures";

export interface BoxValues {
  /** Of the call at a place that stands for `times` blocks; NaN where not measured. */
  at(place: number, times: number): number;
  /** Whether the blocks of a run differ, by the place of the first. */
  differ(place: number): boolean;
  /** Largest value of a call that holds no other. */
  readonly largest: number;
}

/** Costs one pass over the calls. `shown` is by place. */
export function boxValues(columns: Columns, measure: Measure, shown: Float64Array): BoxValues {
  const { end, group, member, counterpart, loop } = columns;
  const joins = joinedBy(measure);
  const joined = new Float64Array(shown.length).fill(Number.NaN);
  const differs = new Uint8Array(shown.length);
  let largest = 0;
  for (let place = 0; place < shown.length; place++) {
    const value = shown[place] as number;
    if ((end[place] as number) === place + 1 && Math.abs(value) > largest) largest = Math.abs(value);
    if ((group[place] as number) < 0) continue;
    const first = counterpart[place] as number;
    joined[first] = joins(joined[first] as number, value);
    const other = shown[first] as number;
    if ((member[place] as number) > 0 && value !== other && !(Number.isNaN(value) && Number.isNaN(other)))
      differs[first] = 1;
  }
  const isLoop = (place: number) => loop[group[place] as number] === 1;
  return {
    // A loop has its parameters once.
    at: (place, times) =>
      (times <= 1 || (isLoop(place) && measure.id === "parameters") ? shown : joined)[place] as number,
    differ: (place) => differs[place] === 1 && !isLoop(place),
    largest,
  };
}
