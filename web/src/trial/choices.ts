/** The categories to choose among: a button each, and a key each. */

import { element } from "./element";
import type { By } from "./session";

/** Rows of a keyboard from the top left; letters beside each other on most layouts. */
const KEYS = "1234567890qwertyuiopasdfghjklzxcvbnm";

/** The key of each category, in order. */
export function keysOf(categories: readonly string[]): string[] {
  return categories.map((_, place) => KEYS[place] ?? "");
}

/** So many columns that the grid is as square as it can be. */
export function columnsOf(count: number, narrow: boolean): number {
  if (count <= 3) return narrow ? 1 : count;
  return Math.min(narrow ? 4 : 6, Math.ceil(Math.sqrt(count)));
}

export interface Choices {
  readonly node: HTMLElement;
  /** Ends listening to the buttons. */
  close(): void;
}

/**
 * The grid of buttons.
 *
 * @param at once: a button answers when it is touched, not when it is let go of.
 * @param unsure: text of one more button that answers null; none where empty.
 */
export function choices(
  categories: readonly string[],
  { atOnce, unsure }: { readonly atOnce: boolean; readonly unsure: string },
  chosen: (place: number | null, by: By, at: number) => void,
): Choices {
  const keys = keysOf(categories);
  const node = element("div", { className: "choices", attributes_: { role: "group", "aria-label": "What was it?" } });
  node.dataset.columns = String(columnsOf(categories.length, false));
  node.dataset.narrow = String(columnsOf(categories.length, true));
  const listening = new AbortController();
  const { signal } = listening;
  const add = (text: string, key: string, place: number | null, className: string) => {
    const button = element("button", { type: "button", className }, element("kbd", {}, key), element("span", {}, text));
    if (atOnce)
      button.addEventListener("pointerdown", (event) => chosen(place, pointerOf(event), event.timeStamp), { signal });
    // The keyboard and readers of screens press buttons too; their clicks have no place.
    button.addEventListener(
      "click",
      (event) => {
        const pressed = event.detail === 0;
        if (pressed || !atOnce) chosen(place, pressed ? "key" : pointerOf(event), event.timeStamp);
      },
      { signal },
    );
    node.append(button);
  };
  categories.forEach((category, place) => {
    add(category, keys[place] ?? "", place, "choice");
  });
  if (unsure) add(unsure, "space", null, "choice unsure");
  return { node, close: () => listening.abort() };
}

function pointerOf(event: MouseEvent): By {
  return event instanceof PointerEvent && event.pointerType === "touch" ? "touch" : "mouse";
}
