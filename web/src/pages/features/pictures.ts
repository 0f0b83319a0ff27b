/** Pictures from bytes and addresses, decoded once. */
import type { Tensor } from "../../record/safetensors";

export interface Piece {
  readonly image: CanvasImageSource;
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

const sheets = new WeakMap<Tensor, Promise<ImageBitmap | null>>();
const images = new Map<string, Promise<HTMLImageElement | null>>();
const MOST_IMAGES = 2000;

/** The sheet whose encoded bytes an array holds; null where they are no picture. */
export function sheetOf(tensor: Tensor): Promise<ImageBitmap | null> {
  let found = sheets.get(tensor);
  if (!found) {
    const bytes = Uint8Array.from(tensor.values as ArrayLike<number>);
    found = createImageBitmap(new Blob([bytes], { type: "image/webp" })).catch(() => null);
    sheets.set(tensor, found);
  }
  return found;
}

/** The picture at an address; null where it is none. */
export function imageAt(address: string): Promise<HTMLImageElement | null> {
  let found = images.get(address);
  if (!found) {
    found = new Promise((resolve) => {
      const image = new Image();
      image.onload = () => resolve(image);
      image.onerror = () => resolve(null);
      image.src = address;
    });
    images.set(address, found);
    const oldest = images.keys().next().value;
    if (images.size > MOST_IMAGES && oldest !== undefined) images.delete(oldest);
  }
  return found;
}

/** Square number `column` of row `row` of a sheet. */
export function squareOf(image: ImageBitmap, row: number, column: number, side: number): Piece | null {
  const left = column * side;
  const top = row * side;
  if (left + side > image.width || top + side > image.height) return null;
  return { image, left, top, width: side, height: side };
}

/** Red, green, blue and alpha of a square piece; null where there is no canvas to read them from. */
export function pixelsOf(piece: Piece, side: number): Uint8ClampedArray | null {
  const context = new OffscreenCanvas(side, side).getContext("2d");
  if (!context) return null;
  context.drawImage(piece.image, piece.left, piece.top, side, side, 0, 0, side, side);
  return context.getImageData(0, 0, side, side).data;
}
