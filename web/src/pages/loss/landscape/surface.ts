/** A plane of losses as numbers to draw: its range, its levels, the lines along them, and the rows of its table. */
import type { LandscapeLine, LandscapePanel, LandscapePlane, LandscapePoints } from "../../../record/schema.gen";
import { type TableModel, tableOf } from "../../../shell/table";

export type Stretch = "linear" | "log";

/** Losses row by row, from the lowest step of the second direction on; NaN where there is none. */
export interface Surface {
  readonly size: number;
  readonly losses: Float64Array;
  /** Of the finite losses; null where there are none. */
  readonly range: readonly [number, number] | null;
  readonly finite: number;
  /** Points that are not computed yet, and points without a mean. */
  readonly waiting: number;
  readonly broken: number;
}

export function surfaceOf(plane: LandscapePlane): Surface {
  const size = plane.steps.length;
  const losses = new Float64Array(size * size).fill(Number.NaN);
  let [low, high, finite, waiting] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0, 0];
  plane.rows.forEach((row, at) => {
    if (row === null) waiting += size;
    row?.losses.forEach((loss, column) => {
      if (loss === null) return;
      losses[at * size + column] = loss;
      [low, high, finite] = [Math.min(low, loss), Math.max(high, loss), finite + 1];
    });
  });
  const range = finite > 0 ? ([low, high] as const) : null;
  return { size, losses, range, finite, waiting, broken: size * size - finite - waiting };
}

/** Logarithmic where losses differ more than twentyfold, and none is 0 or below. */
export function usualStretch(range: readonly [number, number] | null): Stretch {
  return range !== null && range[0] > 0 && range[1] / range[0] > 20 ? "log" : "linear";
}

/** From 0 at the lowest loss to 1 at the highest. */
export function placeIn(range: readonly [number, number], stretch: Stretch, loss: number): number {
  const [low, high] = range;
  if (!(high > low)) return 0;
  if (stretch === "log") return Math.log(loss / low) / Math.log(high / low);
  return (loss - low) / (high - low);
}

/** `count` losses between the lowest and the highest, evenly spread as the colours are. */
export function levelsOf(range: readonly [number, number], stretch: Stretch, count: number): number[] {
  const [low, high] = range;
  if (!(high > low)) return [];
  return Array.from({ length: count }, (_, index) => {
    const share = (index + 1) / (count + 1);
    return stretch === "log" ? low * (high / low) ** share : low + (high - low) * share;
  });
}

/** A piece of a contour line: from (x, y) to (x, y), in steps of the grid from its lowest corner. */
export type Piece = readonly [number, number, number, number];

/** Where a surface that is straight between neighbouring points has this level: marching squares (Lorensen & Cline 1987 in the plane). */
export function contour(surface: Surface, level: number): Piece[] {
  const { size, losses } = surface;
  const found: Piece[] = [];
  for (let y = 0; y + 1 < size; y++) {
    for (let x = 0; x + 1 < size; x++) {
      const corners = [
        [x, y],
        [x + 1, y],
        [x + 1, y + 1],
        [x, y + 1],
      ] as const;
      const values = corners.map(([a, b]) => losses[b * size + a] as number);
      if (values.some(Number.isNaN)) continue;
      const crossings: [number, number][] = [];
      for (let side = 0; side < 4; side++) {
        const [from, to] = [values[side] as number, values[(side + 1) % 4] as number];
        if (from < level === to < level) continue;
        const share = (level - from) / (to - from);
        const [a, b] = [corners[side], corners[(side + 1) % 4]] as [
          readonly [number, number],
          readonly [number, number],
        ];
        crossings.push([a[0] + share * (b[0] - a[0]), a[1] + share * (b[1] - a[1])]);
      }
      found.push(...joined(crossings, values, level));
    }
  }
  return found;
}

function joined(crossings: readonly [number, number][], values: readonly number[], level: number): Piece[] {
  const piece = (one: number, other: number): Piece => [
    ...(crossings[one] as [number, number]),
    ...(crossings[other] as [number, number]),
  ];
  if (crossings.length === 2) return [piece(0, 1)];
  if (crossings.length !== 4) return [];
  // A saddle: its middle says which two corners belong together.
  const middle = values.reduce((sum, one) => sum + one, 0) / 4;
  return middle < level === (values[0] as number) < level ? [piece(0, 1), piece(2, 3)] : [piece(0, 3), piece(1, 2)];
}

/** One point of a slice or a line. */
export interface Point {
  readonly step: number;
  readonly loss: number | null;
  readonly error: number | null;
  readonly correct: number | null;
  readonly broken: number;
}

export function pointsOf(steps: readonly number[], points: LandscapePoints): Point[] {
  return steps.map((step, index) => ({
    step,
    loss: points.losses[index] ?? null,
    error: points.standard_errors[index] ?? null,
    correct: points.correct[index] ?? null,
    broken: points.broken[index] ?? 0,
  }));
}

/** Along the first direction at a step of the second, or the other way; null where a row is not there yet. */
export function sliceOf(plane: LandscapePlane, along: 0 | 1, at: number): Point[] {
  if (along === 0) {
    const row = plane.rows[at];
    return row ? pointsOf(plane.steps, row) : [];
  }
  return plane.rows.flatMap((row, index) => {
    const point = row ? pointsOf(plane.steps, row)[at] : undefined;
    return point ? [{ ...point, step: plane.steps[index] as number }] : [];
  });
}

export function planeTable(panel: LandscapePanel, plane: LandscapePlane): TableModel {
  const rows = plane.rows.flatMap((row, y) =>
    (row ? pointsOf(plane.steps, row) : []).map((one) => [
      one.step,
      plane.steps[y] as number,
      one.loss,
      one.error,
      one.correct,
      panel.count,
      one.broken,
    ]),
  );
  return tableOf(
    "loss on the plane",
    [
      "first direction",
      "second direction",
      `mean loss in ${panel.unit}`,
      "standard error",
      "right answers",
      "examples",
      "not finite",
    ],
    rows,
  );
}

export function lineTable(panel: LandscapePanel, line: LandscapeLine): TableModel {
  return tableOf(
    "loss on the line",
    ["t", `mean loss in ${panel.unit}`, "standard error", "right answers", "examples", "not finite"],
    pointsOf(line.steps, line.points).map((one) => [
      one.step,
      one.loss,
      one.error,
      one.correct,
      panel.count,
      one.broken,
    ]),
  );
}

export function sharpnessTable(panel: LandscapePanel): TableModel {
  const rows = panel.sharpness.flatMap((one) => [
    ...one.eigenvalues.map((each) => [one.matrix, `${each.end} eigenvalue`, each.value, each.residual, one.count]),
    [one.matrix, "trace", one.trace, one.trace_error, one.count],
  ]);
  return tableOf("sharpness", ["matrix", "what", "value", "residual or standard error", "examples"], rows);
}
