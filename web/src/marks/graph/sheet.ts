/**
 * A picture of more boxes than one frame can draw, of the view and a margin around it: painted in slices of frames, shown
 * whole, and moved and stretched until the next one is ready.
 */
import { type Camera, covers, type Rect, type Size, seen } from "./camera";
import type { Painter } from "./painter";
import { css, type Palette } from "./palette";
import { type Emphasis, FONT, LEGIBLE, NO_EMPHASIS, type Picture } from "./picture";

/** Milliseconds of one frame that painting may take. */
const SLICE = 1.4;
/** Boxes or runs of strokes between two looks at the clock. */
const STEP = 12;
const SPOTS = 96;
const RUNS = 3;
/** How far the margin reaches beyond the view, as a share of it. */
const MARGIN = 0.25;
/** The next one is begun before the view leaves so much of the margin. */
const AHEAD = 0.12;
/** One that is stretched or shrunk by more than this shows less than one that is half done. */
const STRETCHED = 4;
/** From further away arrows are less than a shimmer, and most of the work. */
const LEAST_FOR_ARROWS = 0.03;

interface Side {
  readonly canvas: HTMLCanvasElement;
  readonly context: CanvasRenderingContext2D | null;
  /** What it shows, and at which scale; null where nothing yet. */
  window: Rect | null;
  scale: number;
}

/** What is painted: a picture by its painter, in the colours of a theme. */
interface Subject {
  readonly picture: Picture;
  readonly painter: Painter;
  readonly palette: Palette;
}

export class Sheet {
  #subject: Subject | null = null;
  /** Nothing is in hand on it: that is drawn over it, in every frame. */
  #emphasis: Emphasis = NO_EMPHASIS;
  readonly #parts: number[] = [];
  #shown = sideOf();
  #coming = sideOf();
  #work: Iterator<undefined> | null = null;
  #stale = false;

  /** Makes room for views of a size ahead of time: that takes longer than a frame has. */
  reserve(view: Size, density: number): void {
    for (const side of [this.#shown, this.#coming]) sized(side, ...extentOf(view, density));
  }

  /** Another picture: nothing is left of the one before. */
  show(picture: Picture, painter: Painter, palette: Palette, lights: Uint8Array | null): void {
    this.#subject = { picture, painter, palette };
    this.light(lights);
    this.#shown.window = this.#coming.window = null;
  }

  /** Paints a slice and shows what there is, on a context in units of the drawing; true while it is not as sharp as it will be. */
  draw(context: CanvasRenderingContext2D, camera: Camera, view: Size, density: number): boolean {
    const now = seen(camera, view);
    const { window, scale } = this.#shown;
    const sharp = window !== null && !this.#stale && scale === camera.scale && covers(window, now, AHEAD);
    if (this.#work) this.#slice();
    else if (!sharp) this.#begin(now, camera.scale, view, density);
    const stretched = Math.max(scale / camera.scale, camera.scale / scale);
    const side = this.#shown.window && stretched < STRETCHED ? this.#shown : this.#coming;
    const at = side.window;
    if (at) context.drawImage(side.canvas, at.x, at.y, at.width, at.height);
    return this.#work !== null || !sharp;
  }

  /** Other lights: what is shown stays until it is painted anew. */
  light(lights: Uint8Array | null): void {
    this.#emphasis = { ...NO_EMPHASIS, lights };
    this.#work = null;
    this.#stale = true;
  }

  #begin(now: Rect, scale: number, view: Size, density: number): void {
    const side = this.#coming;
    const pixels = scale * density;
    // Whole pixels from the drawing's corner: what is moved at the same scale stays sharp.
    const left = Math.floor((now.x - MARGIN * now.width) * pixels);
    const top = Math.floor((now.y - MARGIN * now.height) * pixels);
    const [width, height] = extentOf(view, density);
    sized(side, width, height);
    side.window = { x: left / pixels, y: top / pixels, width: width / pixels, height: height / pixels };
    side.scale = scale;
    const [context, subject] = [side.context, this.#subject];
    if (!context || !subject) return;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.globalAlpha = 1;
    context.fillStyle = css(subject.palette.paper);
    context.fillRect(0, 0, width, height);
    context.setTransform(pixels, 0, 0, pixels, -left, -top);
    this.#work = this.#paint(subject, context, side.window, scale);
  }

  #slice(): void {
    const until = performance.now() + SLICE;
    while (this.#work && performance.now() < until) {
      const { done } = this.#work.next();
      // A canvas only notes what is drawn until somebody looks: here, step by step, not all in the frame that shows it.
      this.#coming.context?.getImageData(0, 0, 1, 1);
      if (!done) continue;
      this.#work = null;
      [this.#shown, this.#coming] = [this.#coming, this.#shown];
      this.#coming.window = null;
      this.#stale = false;
    }
  }

  *#paint(
    subject: Subject,
    context: CanvasRenderingContext2D,
    window: Rect,
    scale: number,
  ): Generator<undefined, void> {
    const { picture, painter } = subject;
    const { order, frames } = picture.finding;
    yield* this.#boxes(subject, context, window, scale, 0, frames);
    if (scale > LEAST_FOR_ARROWS) yield* this.#lines(painter, context, window, scale);
    yield* this.#boxes(subject, context, window, scale, frames, order.length);
    if (FONT * scale <= LEGIBLE[0]) return;
    const turn = painter.turn(window);
    let work = 0;
    for (const box of order) {
      work++;
      if (touches(picture, box, window)) {
        painter.words(context, box, this.#emphasis, scale, 1, turn);
        work += SPOTS / STEP;
      }
      if (work < SPOTS) continue;
      work = 0;
      yield;
    }
  }

  *#boxes(
    { picture, painter }: Subject,
    context: CanvasRenderingContext2D,
    window: Rect,
    scale: number,
    first: number,
    last: number,
  ): Generator<undefined, void> {
    let work = 0;
    for (let at = first; at < last; at++) {
      const box = picture.finding.order[at] as number;
      work++;
      if (touches(picture, box, window) && !painter.spot(context, box, this.#emphasis.lights, scale)) {
        painter.box(context, box, this.#emphasis, scale, 1);
        work += SPOTS / STEP;
      }
      if (work < SPOTS) continue;
      work = 0;
      yield;
    }
    context.globalAlpha = 1;
  }

  *#lines(
    painter: Painter,
    context: CanvasRenderingContext2D,
    window: Rect,
    scale: number,
  ): Generator<undefined, void> {
    const { runs } = painter;
    const parts = this.#parts;
    parts.length = 0;
    for (let run = 0; run < runs.count; run++) {
      if (run % SPOTS === 0) yield;
      if (!runs.touches(run, window)) continue;
      parts.push(run);
      if (parts.length < RUNS) continue;
      painter.lines(context, parts, scale, 1);
      parts.length = 0;
      yield;
    }
    painter.lines(context, parts, scale, 1);
  }
}

function touches({ placed: { x, y, width, height } }: Picture, box: number, rect: Rect): boolean {
  const [left, top] = [x[box] as number, y[box] as number];
  return (
    left <= rect.x + rect.width &&
    left + (width[box] as number) >= rect.x &&
    top <= rect.y + rect.height &&
    top + (height[box] as number) >= rect.y
  );
}

/** Pixels of a view and its margin. */
function extentOf(view: Size, density: number): [number, number] {
  return [view.width, view.height].map((side) => Math.round((1 + 2 * MARGIN) * side * density)) as [number, number];
}

function sized({ canvas, context }: Side, width: number, height: number): void {
  if (canvas.width === width && canvas.height === height) return;
  [canvas.width, canvas.height] = [width, height];
  // A canvas takes its room when it is first drawn on.
  context?.fillRect(0, 0, 1, 1);
}

function sideOf(): Side {
  const canvas = document.createElement("canvas");
  return {
    canvas,
    context: canvas.getContext("2d", { alpha: false, willReadFrequently: true }),
    window: null,
    scale: 1,
  };
}
