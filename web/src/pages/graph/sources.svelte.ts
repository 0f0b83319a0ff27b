/** The quantities that are not in the graph itself, as they arrive. */
import { instrument } from "../../selection/instrument.svelte";
import { place } from "../../selection/place.svelte";
import { watched } from "../training/watched.svelte";
import type { Sources } from "./measures";

export class Quantities {
  readonly #activations = instrument.panel("activations");
  readonly #gradients = instrument.panel("gradients");
  readonly #learning = instrument.panel("learning");
  readonly #training = instrument.panel("training");
  readonly #file = $derived(place.selection.example === null ? null : instrument.focus(place.selection.example));
  readonly #updates = $derived.by(() => {
    void watched.version;
    return watched.status === "ready" ? updatesAt(place.selection.step) : null;
  });

  readonly updateStep = $derived.by(() => {
    void watched.version;
    return watched.status === "ready" ? updateStep(place.selection.step) : null;
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
      updates: this.#updates,
      focus: this.focus?.focus ?? null,
      example: place.selection.example !== null,
      seconds: instrument.manifest?.call_seconds ?? [],
    };
  }
}

/** The last recorded step up to the one in hand, at which update ratios are shown; null where there are none. */
function updateStep(step: number | null): number | null {
  let last: number | null = null;
  for (const layer of watched.training.layers)
    for (const at of watched.training.curve("update_ratio", layer)?.steps ?? [])
      if ((step === null || at <= step) && (last === null || at > last)) last = at;
  return last;
}

/** The update ratio of every layer at the last recorded step up to the one in hand. */
function updatesAt(step: number | null): ReadonlyMap<string, number> {
  const found = new Map<string, number>();
  for (const layer of watched.training.layers) {
    const curve = watched.training.curve("update_ratio", layer);
    if (!curve) continue;
    for (let at = curve.steps.length - 1; at >= 0; at--) {
      const value = curve.values[at];
      if ((step !== null && (curve.steps[at] ?? 0) > step) || value === null || value === undefined) continue;
      found.set(layer, value);
      break;
    }
  }
  return found;
}
