/** What the page and its layout worker say to each other. */
import type { Placed, Visible } from "./types";

export type Request =
  | { readonly kind: "place"; readonly id: number; readonly visible: Visible }
  | { readonly kind: "stop"; readonly id: number };

export type Answer =
  | { readonly kind: "ready" }
  | { readonly kind: "placed"; readonly id: number; readonly placed: Placed }
  | { readonly kind: "stopped"; readonly id: number }
  | { readonly kind: "failed"; readonly id: number; readonly message: string };

/** The columns of a layout, to be handed over instead of copied. */
export function buffersOf(placed: Placed): ArrayBuffer[] {
  const { x, y, width, height, rank, route, start, points } = placed;
  return [x, y, width, height, rank, route, start, points].map((column) => column.buffer as ArrayBuffer);
}
