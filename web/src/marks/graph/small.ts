/** A whole drawing in a few pixels: every closed box in its colour. */
import type { Palette, Rgb } from "./palette";
import type { Picture } from "./picture";

export function overviewOf(picture: Picture, width: number, height: number, palette: Palette): ImageData {
  const image = new ImageData(width, height);
  const pixels = new Uint32Array(image.data.buffer);
  pixels.fill(packed(...palette.ground));
  const plain = packed(...palette.lineStrong);
  const { visible, placed, fill } = picture;
  const [across, down] = [width / Math.max(1, placed.right), height / Math.max(1, placed.bottom)];
  for (let box = 0; box < visible.ids.length; box++) {
    if (visible.open[box]) continue;
    const at = 4 * box;
    const measured = (fill[at + 3] as number) > 0;
    const colour = measured ? packed(fill[at] as number, fill[at + 1] as number, fill[at + 2] as number) : plain;
    const left = Math.min(width - 1, Math.round((placed.x[box] as number) * across));
    const top = Math.min(height - 1, Math.round((placed.y[box] as number) * down));
    const right = Math.min(width, Math.max(left + 1, Math.round(left + (placed.width[box] as number) * across)));
    const bottom = Math.min(height, Math.max(top + 1, Math.round(top + (placed.height[box] as number) * down)));
    for (let y = top; y < bottom; y++) pixels.fill(colour, y * width + left, y * width + right);
  }
  return image;
}

/** As the bytes of an image lie: red first, on machines that keep the last byte of a number first. */
function packed(...[red, green, blue]: Rgb): number {
  return ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0;
}
