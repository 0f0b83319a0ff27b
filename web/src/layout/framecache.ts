/** Layouts of frames by what they were made from, so that opening a module lays out the frames on its path alone. */
import type { FrameLayout } from "./frame";
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

  get(content: Int32Array): FrameLayout | undefined {
    const same = this.#known.get(hashOf(content));
    if (same) for (const one of same) if (equal(one.content, content)) return one.layout;
    return undefined;
  }

  /** `content` is kept: nobody may write to it afterwards. */
  put(content: Int32Array, layout: FrameLayout): void {
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

function hashOf(content: Int32Array): number {
  let hash = content.length;
  for (let at = 0; at < content.length; at++) hash = mix(hash, content[at] as number);
  return hash;
}

function equal(one: Int32Array, other: Int32Array): boolean {
  if (one.length !== other.length) return false;
  for (let at = 0; at < one.length; at++) if (one[at] !== other[at]) return false;
  return true;
}
