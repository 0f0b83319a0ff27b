/** Keys that work everywhere; pages add their own with arrows. */
import { instrument } from "../selection/instrument.svelte";
import { place } from "../selection/place.svelte";

export interface Actions {
  readonly pages: readonly string[];
  readonly search: () => void;
  readonly keys: () => void;
  /** Closes what is open on top; false where nothing was. */
  readonly close: () => boolean;
}

export const KEYS: readonly (readonly [string, string])[] = [
  ["1 to 9, 0", "the first nine pages of the rail, and its last"],
  ["/", "search examples, classes, layers, units and pages"],
  ["← → ↑ ↓", "walk cells, layers and examples on the page"],
  ["[ ]", "previous and next selected example"],
  ["Enter", "open what has the focus"],
  ["Escape", "close what is on top, then put down what is in hand, then the filter"],
  ["?", "this list"],
];

/** The key that opens a page, by its place in the rail; empty where there are more pages than digits. */
export function keyOf(index: number, pages: number): string {
  if (index < 9) return String(index + 1);
  return index === pages - 1 ? "0" : "";
}

export function onKey(event: KeyboardEvent, actions: Actions): void {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Escape") {
    if (!actions.close()) stepBack();
    return;
  }
  if (isTyping(event.target)) return;
  const opened = actions.pages.find((_, index) => keyOf(index, actions.pages.length) === event.key);
  if (opened !== undefined) {
    place.open(opened);
  } else if (event.key === "/") {
    event.preventDefault();
    actions.search();
  } else if (event.key === "?") {
    actions.keys();
  } else if (event.key === "[" || event.key === "]") {
    stepExample(event.key === "]" ? 1 : -1);
  }
}

/** Takes the next or previous selected example in hand, round and round. */
export function stepExample(by: 1 | -1): void {
  const rows = instrument.selected;
  if (rows.length === 0) return;
  const here = rows.indexOf(place.selection.example ?? -1);
  const next = here < 0 ? 0 : (here + by + rows.length) % rows.length;
  place.change({ example: rows[next] ?? null, explained: null }, { replace: true });
}

function stepBack(): void {
  const { example, unit, layer, step } = place.selection;
  if (example !== null) place.change({ example: null, explained: null });
  else if (unit !== null) place.change({ unit: null });
  else if (layer !== null) place.change({ layer: null });
  else if (step !== null) place.change({ step: null });
  else place.clearFilter();
}

export function isTyping(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement &&
    (target.isContentEditable || ["INPUT", "TEXTAREA", "SELECT"].includes(target.tagName)) &&
    !(target instanceof HTMLInputElement && ["range", "checkbox", "radio", "button"].includes(target.type))
  );
}
