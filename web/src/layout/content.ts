/** All that the layout of a frame depends on, as one row of integers: equal rows have equal layouts. */
import type { FrameInput } from "./frame";
import type { Visible } from "./types";

/** Boxes, entries, exits, arrows, and the least width as bits. */
const HEAD = 5;

/** What is known of a graph while its frames are laid out, the inner ones first. */
export interface Known {
  /** By box; of a frame, once it is laid out. */
  readonly width: Float32Array;
  readonly height: Float32Array;
  /** By port, from its frame's left side; NaN where that is not laid out. */
  readonly portX: Float32Array;
}

/** Writes one frame after the other to the same row, which the next one overwrites. */
export class FrameContents {
  readonly #visible: Visible;
  readonly #known: Known;
  /** By box, its index in the frame that holds it. */
  readonly #local: Int32Array;
  /** By port (those without one under 0), the frame that it was met in last, and its number there. */
  readonly #enteredIn: Int32Array;
  readonly #leftIn: Int32Array;
  readonly #entry: Int32Array;
  readonly #exit: Int32Array;
  #row = new Int32Array(1024);
  #floats = new Float32Array(this.#row.buffer);
  /** Ports of the frame that was written last: entries, then exits. */
  #ports: number[] = [];

  constructor(visible: Visible, known: Known) {
    this.#visible = visible;
    this.#known = known;
    this.#local = new Int32Array(visible.ids.length).fill(-1);
    const ports = known.portX.length + 1;
    this.#enteredIn = new Int32Array(ports).fill(-1);
    this.#leftIn = new Int32Array(ports).fill(-1);
    this.#entry = new Int32Array(ports);
    this.#exit = new Int32Array(ports);
  }

  get ports(): readonly number[] {
    return this.#ports;
  }

  /** `held` are the boxes in a frame (the number of all boxes for the top), `drawn` the arrows in it. */
  write(frame: number, held: Int32Array, drawn: Int32Array): Int32Array {
    const { width, height } = this.#known;
    const [boxes, arrows] = [held.length, drawn.length];
    const length = HEAD + 2 * boxes + 5 * arrows;
    this.#reserve(length);
    const [row, floats] = [this.#row, this.#floats];
    const [entries, exits] = this.#number(frame, drawn);
    row[0] = boxes;
    row[1] = entries;
    row[2] = exits;
    row[3] = arrows;
    floats[4] = frame < this.#visible.ids.length ? (this.#visible.width[frame] as number) : 0;
    for (let at = 0; at < boxes; at++) {
      const box = held[at] as number;
      this.#local[box] = at;
      floats[HEAD + at] = width[box] as number;
      floats[HEAD + boxes + at] = height[box] as number;
    }
    this.#writeArrows(frame, drawn, HEAD + 2 * boxes, [boxes, boxes + entries]);
    return row.subarray(0, length);
  }

  /** How many ports signals enter and leave by, numbered in the order in which they come. */
  #number(frame: number, drawn: Int32Array): [number, number] {
    const { source, target, sourcePort, targetPort } = this.#visible;
    const [entered, left]: [number[], number[]] = [[], []];
    for (let at = 0; at < drawn.length; at++) {
      const arrow = drawn[at] as number;
      const into = (sourcePort[arrow] as number) + 1;
      const outOf = (targetPort[arrow] as number) + 1;
      if (source[arrow] === frame && this.#enteredIn[into] !== frame) {
        this.#enteredIn[into] = frame;
        this.#entry[into] = entered.push(into - 1) - 1;
      }
      if (target[arrow] === frame && this.#leftIn[outOf] !== frame) {
        this.#leftIn[outOf] = frame;
        this.#exit[outOf] = left.push(outOf - 1) - 1;
      }
    }
    const entries = entered.length;
    for (const port of left) entered.push(port);
    this.#ports = entered;
    return [entries, left.length];
  }

  #writeArrows(frame: number, drawn: Int32Array, first: number, [entry, exit]: readonly [number, number]): void {
    const { source, target, sourcePort, targetPort, back } = this.#visible;
    const { portX } = this.#known;
    const [row, floats, arrows] = [this.#row, this.#floats, drawn.length];
    for (let at = 0; at < arrows; at++) {
      const arrow = drawn[at] as number;
      const [from, to] = [source[arrow] as number, target[arrow] as number];
      const [out, into] = [sourcePort[arrow] as number, targetPort[arrow] as number];
      const [enters, leaves] = [from === frame, to === frame];
      row[first + at] = enters ? entry + (this.#entry[out + 1] as number) : (this.#local[from] as number);
      row[first + arrows + at] = leaves ? exit + (this.#exit[into + 1] as number) : (this.#local[to] as number);
      floats[first + 2 * arrows + at] = enters || out < 0 ? Number.NaN : (portX[out] as number);
      floats[first + 3 * arrows + at] = leaves || into < 0 ? Number.NaN : (portX[into] as number);
      row[first + 4 * arrows + at] = back[arrow] as number;
    }
  }

  #reserve(length: number): void {
    if (length <= this.#row.length) return;
    this.#row = new Int32Array(2 * length);
    this.#floats = new Float32Array(this.#row.buffer);
  }
}

/** What a layout starts from. `content` is a row of its own. */
export function inputOf(content: Int32Array<ArrayBuffer>): FrameInput {
  const [boxes, entries, exits, arrows] = content as unknown as [number, number, number, number];
  const floats = new Float32Array(content.buffer, content.byteOffset, content.length);
  const first = HEAD + 2 * boxes;
  const part = (at: number) => content.subarray(first + at * arrows, first + (at + 1) * arrows);
  const places = (at: number) => floats.subarray(first + at * arrows, first + (at + 1) * arrows);
  return {
    boxes,
    entries,
    exits,
    leastWidth: floats[HEAD - 1] as number,
    width: floats.subarray(HEAD, HEAD + boxes),
    height: floats.subarray(HEAD + boxes, first),
    source: part(0),
    target: part(1),
    leavesAt: places(2),
    arrivesAt: places(3),
    back: Uint8Array.from(part(4)),
  };
}
