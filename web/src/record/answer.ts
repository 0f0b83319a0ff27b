/** A safetensors file that answers a question: what it says, and its numbers in the units they were measured in. */
import { parseSafetensors, type Tensor } from "./safetensors";

export interface FloatTensor {
  readonly shape: readonly number[];
  readonly values: Float32Array;
}

export class AnswerFile<Said extends object> {
  readonly said: Said;
  readonly #tensors: ReadonlyMap<string, Tensor>;
  readonly #scales: Readonly<Record<string, number>>;
  readonly #scaled = new Map<string, FloatTensor>();

  /** `key` is the question's name: the header holds what is said under it. */
  constructor(buffer: ArrayBuffer, key: string) {
    const { tensors, metadata } = parseSafetensors(buffer);
    const said = metadata[key];
    if (said === undefined) throw new Error(`This is no ${key} file: its header has no "${key}".`);
    this.said = JSON.parse(said) as Said;
    this.#tensors = tensors;
    this.#scales = (this.said as { scales?: Record<string, number> }).scales ?? {};
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
    const scale = this.#scales[name] ?? 1;
    const values = new Float32Array(tensor.values);
    for (let at = 0; at < values.length; at++) values[at] = (values[at] as number) * scale;
    const made = { shape: tensor.shape, values };
    this.#scaled.set(name, made);
    return made;
  }

  integers(name: string): Int32Array | null {
    const tensor = this.#tensors.get(name);
    return tensor ? Int32Array.from(tensor.values) : null;
  }
}
