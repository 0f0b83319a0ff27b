/** Which example the pages on one example show, and which of them were looked at closely when the record was made. */
import type { FocusExample } from "../../record/schema.gen";
import { instrument } from "../../selection/instrument.svelte";
import { place } from "../../selection/place.svelte";

class Hand {
  readonly #selected = $derived(new Set(instrument.selected));
  readonly chosen: readonly FocusExample[] = $derived(instrument.panel("gradients").value?.examples ?? []);
  /** Those of the selection; all of them where the selection holds none. */
  readonly offered = $derived.by(() => {
    const inside = this.chosen.filter((example) => this.#selected.has(example.row));
    return inside.length > 0 ? inside : this.chosen;
  });
  readonly row: number | null = $derived(
    (instrument.noExample ? null : place.selection.example) ?? this.offered[0]?.row ?? null,
  );
  readonly stored = $derived(this.row !== null && this.chosen.some((example) => example.row === this.row));
}

export const hand = new Hand();
