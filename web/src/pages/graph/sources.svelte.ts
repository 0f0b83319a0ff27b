/** The quantities that are not in the graph itself, as they arrive. */
import { instrument } from "../../selection/instrument.svelte";
import { place } from "../../selection/place.svelte";
import { watched } from "../training/watched.svelte";
import type { Sources } from "./measures";
import { updatesOf } from "./updates";

export class Quantities {
  readonly #activations = instrument.panel("activations");
  readonly #gradients = instrument.panel("gradients");
  readonly #learning = instrument.panel("learning");
  readonly #training = instrument.panel("training");
  readonly #file = $derived(place.selection.example === null ? null : instrument.focus(place.selection.example));
  /** Update ratios and what they are of; null until the training has arrived. */
  readonly updates = $derived.by(() => {
    void watched.version;
    if (watched.status !== "ready") return null;
    const { training } = watched;
    return updatesOf(training.layers, (layer) => training.curve("update_ratio", layer), place.selection.step);
  });

  constructor() {
    if (instrument.manifest?.watched) watched.start();
  }

  get focus() {
    return this.#file?.value ?? null;
  }

  get all(): Sources {
    return {
      activations: this.#activations.value,
      gradients: this.#gradients.value,
      learning: this.#learning.value,
      training: this.#training.value,
      updates: this.updates?.byLayer ?? null,
      focus: this.focus?.focus ?? null,
      example: place.selection.example !== null,
      seconds: instrument.manifest?.call_seconds ?? [],
    };
  }
}
