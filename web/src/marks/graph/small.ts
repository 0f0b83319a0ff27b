/** A whole drawing in a few pixels: every closed box in its colour. */
import type { Placed, Visible } from "../../layout/types";
import type { Rgb } from "./palette";

export interface Small {
  readonly width: number;
  readonly height: number;
  /** RGBA, row by row. */
  readonly pixels: Uint8ClampedArray<ArrayBuffer>;
}

const WIDE = 112;
const HIGH = 144;
const LEAST = 28;

/** Width and height on the page, in pixels: a graph that is far taller than wide is wider than it is, or nobody could point at it. */
export function smallSize({ right, bottom }: Placed): { width: number; height: number } {
  const [width, height] = [Math.max(1, right), Math.max(1, bottom)];
  const scale = Math.min(WIDE / width, HIGH / height);
  return { width: Math.max(LEAST, Math.round(width * scale)), height: Math.max(LEAST, Math.round(height * scale)) };
}

/** `ground` is the colour behind all, `plain` that of boxes without one. */
export function smallOf(
  visible: Visible,
  placed: Placed,
  fill: Uint8Array,
  { density, ground, plain }: { density: number; ground: Rgb; plain: Rgb },
): Small {
  const size = smallSize(placed);
  const [width, height] = [Math.round(size.width * density), Math.round(size.height * density)];
  const pixels = new Uint32Array(width * height).fill(packed(...ground));
  const [across, down] = [width / Math.max(1, placed.right), height / Math.max(1, placed.bottom)];
  for (let box = 0; box < visible.ids.length; box++) {
    if (visible.open[box]) continue;
    const at = 4 * box;
    const measured = (fill[at + 3] as number) > 0;
    const colour = measured
      ? packed(fill[at] as number, fill[at + 1] as number, fill[at + 2] as number)
      : packed(...plain);
    const left = Math.min(width - 1, Math.round((placed.x[box] as number) * across));
    const top = Math.min(height - 1, Math.round((placed.y[box] as number) * down));
    const right = Math.min(width, Math.max(left + 1, Math.round(left + (placed.width[box] as number) * across)));
    const bottom = Math.min(height, Math.max(top + 1, Math.round(top + (placed.height[box] as number) * down)));
    for (let y = top; y < bottom; y++) pixels.fill(colour, y * width + left, y * width + right);
  }
  return { width, height, pixels: new Uint8ClampedArray(pixels.buffer) };
}

/** As the bytes of an image lie: red first, on machines that keep the last byte of a number first. */
function packed(...[red, green, blue]: Rgb): number {
  return ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0;
}
