/** What of a picture is looked up while it is drawn and pointed at, made once: in a worker, for of many boxes it is much. */
import type { Placed, Visible } from "../../layout/types";
import { type Grid, gridOf } from "./hit";
import { type Incident, incidentOf } from "./incident";
import { labelPoints } from "./labels";
import { type LineParts, partsOf } from "./linehit";
import { runBoundsOf } from "./runs";
import { boundsOf, type OldLine, STROKE, strokesOf } from "./strokes";

export interface Finding {
  /** Frames first, then the boxes in them: what is drawn later covers what came before. */
  readonly order: Uint32Array;
  readonly frames: number;
  readonly grid: Grid;
  readonly incident: Incident;
  readonly parts: LineParts;
  /** Bounds of runs of arrows. */
  readonly runs: Float32Array;
  /** Middles of the words on arrows; no number where it is the middle of a line that nobody looked at yet. */
  readonly labels: Float32Array;
  /** For a graphics card, all strokes of arrows and the bounds of runs of them. */
  readonly strokes: { readonly numbers: Float32Array; readonly count: number; readonly bounds: Float32Array } | null;
}

/** Strokes in one run that a card draws or leaves out as a whole. */
export const STROKE_RUN = 512;

/** Yields between its parts. `oldLine` tells where strokes come from, `card` whether a graphics card draws them. */
export function* findingOf(
  visible: Visible,
  placed: Placed,
  labelled: Uint8Array,
  { oldLine, card }: { oldLine: OldLine | null; card: boolean },
): Generator<undefined, Finding> {
  const { order, frames } = drawingOrder(visible);
  const grid = gridOf(visible, placed);
  yield;
  const incident = incidentOf(visible);
  const parts = partsOf(placed);
  yield;
  const runs = runBoundsOf(placed, null);
  const labels = labelPoints(visible, placed, labelled);
  yield;
  if (!card) return { order, frames, grid, incident, parts, runs, labels, strokes: null };
  const { numbers, count } = strokesOf(visible, placed, oldLine);
  const strokes = { numbers, count, bounds: boundsOf(numbers, count, STROKE, STROKE_RUN) };
  return { order, frames, grid, incident, parts, runs, labels, strokes };
}

export function drawingOrder(visible: Visible): { order: Uint32Array; frames: number } {
  const count = visible.ids.length;
  const order = new Uint32Array(count);
  let at = 0;
  for (let box = 0; box < count; box++) if (visible.open[box]) order[at++] = box;
  const frames = at;
  for (let box = 0; box < count; box++) if (!visible.open[box]) order[at++] = box;
  return { order, frames };
}
