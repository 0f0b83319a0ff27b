/**
 * The words that folding, layout and drawing share. Everything is typed arrays by index, so that tens of thousands of
 * boxes cross to the worker and back without being copied one by one.
 */

/**
 * What is to be seen of a graph with some modules folded: boxes in order of execution, and arrows between boxes that
 * stand in the same frame (an end deeper inside has become the frame that holds it at that level).
 */
export interface Visible {
  /** Node of the graph that each box is. */
  readonly ids: Int32Array;
  /** Index of the frame that holds a box; -1 at the top. A frame comes before what it holds. */
  readonly frame: Int32Array;
  /** 1 where the box is an open module: its size follows from what it holds. */
  readonly open: Uint8Array;
  /** How many equal blocks, or steps of a loop, the box stands for; 1 for most. */
  readonly times: Int32Array;
  /** The run or loop that a box belongs to, as an index into the model's groups; -1 elsewhere. */
  readonly group: Int32Array;
  /** Wanted size of the boxes that are not open, least width of those that are, in pixels. */
  readonly width: Float32Array;
  readonly height: Float32Array;
  /**
   * Arrows, as indices of boxes; `edge` is the first of the graph's edges that an arrow stands for. An arrow whose source
   * is the frame of its target enters: it shows where a signal from outside is read. One whose target is the frame of its
   * source leaves. All others join two boxes of one frame.
   */
  readonly source: Int32Array;
  readonly target: Int32Array;
  readonly edge: Int32Array;
  /** How many of the graph's edges an arrow stands for. */
  readonly weight: Int32Array;
  /** Port of the open frame through which an arrow's end passes, the same number on both sides of its border; else -1. */
  readonly sourcePort: Int32Array;
  readonly targetPort: Int32Array;
  /** 1 where a step of a loop that is drawn once hands over to the next; the source may be the target. */
  readonly back: Uint8Array;
  /** Node of the activation that is drawn on the arrow instead of as a box; -1 elsewhere. */
  readonly label: Int32Array;
}

/**
 * What folding reads of a model, and all of it that crosses to a worker. By place (a call's index in an order in which
 * what a call holds directly follows it), by edge, and by group (a run of equal blocks or a loop).
 */
export interface Columns {
  readonly ids: Int32Array;
  /** Place of the holder (-1 at the top), and the first place after all that a call holds. */
  readonly parent: Int32Array;
  readonly end: Int32Array;
  /** The group of a call (-1), the member of it that the call is in, and the place of its counterpart in the first. */
  readonly group: Int32Array;
  readonly member: Int32Array;
  readonly counterpart: Int32Array;
  /** 1 where a call is an activation function. */
  readonly activation: Uint8Array;
  /** By edge: places of its ends, of the two siblings that hold them (-1 where there are none), and which output it is. */
  readonly source: Int32Array;
  readonly target: Int32Array;
  readonly leaving: Int32Array;
  readonly entering: Int32Array;
  readonly output: Int32Array;
  /** By group: how many members or steps, and 1 where it is a loop. */
  readonly times: Int32Array;
  readonly loop: Uint8Array;
}

/** Height of an open frame's title, in pixels: arrows from outside end above it, those inside begin below. */
export const HEADER = 24;

/** How an arrow is drawn. */
export const Route = {
  /** From one rank to a later one, around the boxes between. */
  flow: 0,
  /** Past other boxes, in a lane beside them: a skip connection. */
  lane: 1,
  /**
   * Two stubs: its first two corners and its last two. What lies between is shown when one of its ends is in hand.
   */
  stub: 2,
  /** Against the flow: what is fed back. */
  back: 3,
} as const;

/** Where everything stands, in pixels, y downwards. */
export interface Placed {
  /** Left upper corners and sizes of all boxes, frames included. */
  readonly x: Float32Array;
  readonly y: Float32Array;
  readonly width: Float32Array;
  readonly height: Float32Array;
  readonly rank: Int32Array;
  /** Of each arrow, one of `Route`. */
  readonly route: Uint8Array;
  /** Corners of the arrows' lines, x and y in turns: those of arrow `i` are `points[2 * start[i]]` up to `start[i + 1]`. */
  readonly start: Uint32Array;
  readonly points: Float32Array;
  /** Size of the whole. */
  readonly right: number;
  readonly bottom: number;
}
