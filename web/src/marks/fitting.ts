/** As much of a name as there is room for, by the letters as they will be drawn: those of strangers are as wide as they like. */

export type Width = (text: string) => number;

/** More letters than this are in no room that there is. */
const MOST_LETTERS = 200;

/**
 * The text, or one of its sides and an ellipsis.
 *
 * `keep` says which side tells names apart: paths differ at their ends.
 */
export function fitting(width: Width, text: string, most: number, keep: "start" | "end" = "start"): string {
  if (width(text) <= most) return text;
  const letters = [...text];
  const cut = (count: number) =>
    keep === "start" ? `${letters.slice(0, count).join("")}…` : `…${letters.slice(letters.length - count).join("")}`;
  let [fits, no] = [0, Math.min(letters.length, MOST_LETTERS)];
  while (no - fits > 1) {
    const middle = (fits + no) >> 1;
    if (width(cut(middle)) <= most) fits = middle;
    else no = middle;
  }
  return cut(fits);
}

let context: CanvasRenderingContext2D | null = null;
/** Names come again with every selection, a thousand classes at a time. */
const MOST_WIDTHS = 1 << 14;
const widths = new Map<string, number>();

/** Width in pixels of a small text of the page. */
export function smallWidth(text: string): number {
  if (!context) {
    context = document.createElement("canvas").getContext("2d");
    if (!context) throw new Error("This browser draws no canvas: names cannot be measured.");
    const style = getComputedStyle(document.body);
    context.font = `12px ${style.fontFamily}`;
  }
  let width = widths.get(text);
  if (width === undefined) {
    width = context.measureText(text).width;
    if (widths.size >= MOST_WIDTHS) widths.clear();
    widths.set(text, width);
  }
  return width;
}
