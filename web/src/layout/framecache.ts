/** Layouts of frames by what they were made from, so that opening a module lays out the frames on its path alone. */
import type { FrameInput, FrameLayout } from "./frame";
import { mix } from "./pairs";

interface Known {
  readonly content: Int32Array;
  readonly layout: FrameLayout;
}

/** Numbers kept at most, over all frames: some 200 MB with their layouts. */
const LIMIT = 12_000_000;

/** Equal frames, such as the 126 blocks of a language model, share one layout. */
export class FrameCache {
  readonly #known = new Map<number, Known[]>();
  #size = 0;

  get(input: FrameInput): FrameLayout | undefined {
    const content = contentOf(input);
    return this.#known.get(hashOf(content))?.find((one) => equal(one.content, content))?.layout;
  }

  put(input: FrameInput, layout: FrameLayout): void {
    const content = contentOf(input);
    if (this.#size + content.length > LIMIT) {
      this.#known.clear();
      this.#size = 0;
    }
    this.#size += content.length;
    const hash = hashOf(content);
    const same = this.#known.get(hash);
    if (same) same.push({ content, layout });
    else this.#known.set(hash, [{ content, layout }]);
  }
}

/** All that a layout depends on, as bits. */
function contentOf(input: FrameInput): Int32Array {
  const columns = [input.width, input.height, input.source, input.target, input.leavesAt, input.arrivesAt];
  const length = columns.reduce((sum, column) => sum + column.length, input.back.length + 4);
  const content = new Int32Array(length);
  content.set([input.boxes, input.entries, input.exits, Math.round(input.leastWidth)]);
  let at = 4;
  for (const column of columns) {
    content.set(new Int32Array(column.buffer, column.byteOffset, column.length), at);
    at += column.length;
  }
  content.set(input.back, at);
  return content;
}

function hashOf(content: Int32Array): number {
  let hash = content.length;
  for (const value of content) hash = mix(hash, value);
  return hash;
}

function equal(one: Int32Array, other: Int32Array): boolean {
  return one.length === other.length && one.every((value, at) => value === other[at]);
}
