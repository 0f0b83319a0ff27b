/** What one frame's layout starts from and comes to; frames inside it are plain boxes of a known size. */

/**
 * Nodes are the boxes, then the ports through which signals enter the frame, then those through which they leave it.
 */
export interface FrameInput {
  readonly boxes: number;
  readonly entries: number;
  readonly exits: number;
  readonly leastWidth: number;
  /** Of boxes. */
  readonly width: Float32Array;
  readonly height: Float32Array;
  /** Arrows between nodes. */
  readonly source: Int32Array;
  readonly target: Int32Array;
  /** Where on a box an arrow has to leave or arrive, from the box's left side; NaN where it may be anywhere. */
  readonly leavesAt: Float32Array;
  readonly arrivesAt: Float32Array;
  /** 1 where an arrow goes against the flow. */
  readonly back: Uint8Array;
}

/** In pixels from the frame's left upper corner, below its title. */
export interface FrameLayout {
  readonly width: number;
  readonly height: number;
  readonly x: Float32Array;
  readonly y: Float32Array;
  readonly rank: Int32Array;
  /** Of the ports, entries first. */
  readonly portX: Float32Array;
  readonly route: Uint8Array;
  readonly start: Uint32Array;
  readonly points: Float32Array;
}

/** Distances in pixels. */
export const SPACE = {
  /** Around all that a frame holds. */
  padding: 14,
  /** Between boxes side by side, and between a box and a line that passes it by. */
  boxes: 26,
  line: 14,
  lines: 9,
  /** Between ranks, and what each further line across adds. */
  ranks: 28,
  track: 6,
  /** From a port's row to the first rank. */
  ports: 16,
} as const;

export function nodesOf(input: FrameInput): number {
  return input.boxes + input.entries + input.exits;
}
