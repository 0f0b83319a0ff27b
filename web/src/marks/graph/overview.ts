/** A picture of a whole drawing without a graphics card: every closed box as a spot of its colour, painted in slices of frames. */
import { CHANGE_COLOURS, css, type Palette, type Rgb } from "./palette";
import { Light, type Picture } from "./picture";

const SIDE = 1536;
/** Milliseconds of one frame that painting may take. */
const SLICE = 1.6;
/** Boxes between two looks at the clock. */
const RUN = 64;

export class Overview {
  /** Kept from picture to picture: what a canvas of this size takes to be made is more than a frame has. */
  readonly #canvas = document.createElement("canvas");
  readonly #context: CanvasRenderingContext2D | null;
  #picture: Picture | null = null;
  #palette: Palette | null = null;
  #lights: Uint8Array | null = null;
  #next = 0;
  /** What of the canvas the picture takes. */
  #width = 1;
  #height = 1;

  constructor() {
    this.#context = this.#canvas.getContext("2d");
  }

  /** Makes room for the picture ahead of time: that takes longer than a frame has. */
  reserve(): void {
    if (this.#canvas.width === SIDE) return;
    this.#canvas.width = this.#canvas.height = SIDE;
    this.#context?.fillRect(0, 0, 1, 1);
    this.light(this.#lights);
  }

  show(picture: Picture, palette: Palette, lights: Uint8Array | null): void {
    this.#picture = picture;
    this.#palette = palette;
    this.#width = Math.max(1, Math.min(SIDE, Math.ceil(picture.placed.right)));
    this.#height = Math.max(1, Math.min(SIDE, Math.ceil(picture.placed.bottom)));
    this.light(lights);
  }

  /** Other lights: painted anew. */
  light(lights: Uint8Array | null): void {
    this.#lights = lights;
    this.#next = 0;
    this.#context?.clearRect(0, 0, SIDE, SIDE);
  }

  /** On a context in units of the drawing. */
  draw(context: CanvasRenderingContext2D): void {
    if (!this.#picture) return;
    const { right, bottom } = this.#picture.placed;
    context.drawImage(this.#canvas, 0, 0, this.#width, this.#height, 0, 0, right, bottom);
  }

  /** As many spots as a slice of a frame allows, in milliseconds; true where some are left. */
  paint(slice = SLICE): boolean {
    this.reserve();
    const count = this.#picture?.visible.ids.length ?? 0;
    const until = performance.now() + slice;
    while (this.#next < count) {
      const end = Math.min(count, this.#next + RUN);
      for (; this.#next < end; this.#next++) this.#spot(this.#next);
      if (performance.now() > until) break;
    }
    return this.#next < count;
  }

  #spot(box: number): void {
    const [paint, picture, palette] = [this.#context, this.#picture, this.#palette];
    if (!paint || !picture || !palette || picture.visible.open[box]) return;
    const { placed, fill } = picture;
    const [across, down] = [this.#width / placed.right, this.#height / placed.bottom];
    const change = picture.change[box] ? CHANGE_COLOURS[picture.change[box] as number] : undefined;
    const measured = (fill[4 * box + 3] as number) > 0;
    const own: Rgb = measured
      ? [fill[4 * box] as number, fill[4 * box + 1] as number, fill[4 * box + 2] as number]
      : palette.lineStrong;
    paint.fillStyle = css(change ?? own);
    paint.globalAlpha = this.#lights?.[box] === Light.dim ? 0.28 : 1;
    const [x, y] = [(placed.x[box] as number) * across, (placed.y[box] as number) * down];
    const [width, height] = [(placed.width[box] as number) * across, (placed.height[box] as number) * down];
    paint.fillRect(x, y, Math.max(0.6, width), Math.max(0.6, height));
  }
}
