/** One example looked at closely: its metadata and its maps, in the units they were measured in. */
import { parseSafetensors, type Tensor } from "./safetensors";
import type { Focus } from "./schema.gen";

export interface FloatTensor {
  readonly shape: readonly number[];
  readonly values: Float32Array;
}

export class FocusFile {
  readonly focus: Focus;
  readonly #tensors: ReadonlyMap<string, Tensor>;
  readonly #scaled = new Map<string, FloatTensor>();

  constructor(buffer: ArrayBuffer) {
    const { tensors, metadata } = parseSafetensors(buffer);
    if (metadata.focus === undefined) throw new Error('This is no focus file: its header has no "focus".');
    this.focus = JSON.parse(metadata.focus) as Focus;
    this.#tensors = tensors;
  }

  get names(): string[] {
    return [...this.#tensors.keys()];
  }

  /** Numbers multiplied by their scale; null where the file has no such tensor. */
  floats(name: string): FloatTensor | null {
    const known = this.#scaled.get(name);
    if (known) return known;
    const tensor = this.#tensors.get(name);
    if (!tensor) return null;
    const scale = this.focus.scales[name] ?? 1;
    const made = { shape: tensor.shape, values: Float32Array.from(tensor.values, (value) => value * scale) };
    this.#scaled.set(name, made);
    return made;
  }

  integers(name: string): Int32Array | null {
    const tensor = this.#tensors.get(name);
    return tensor ? Int32Array.from(tensor.values) : null;
  }
}
