/** The drawing without a graphics card: only what is in view, and of very many boxes a picture that is kept. */
import { whenIdle } from "../../layout/slices";
import { type Camera, type Rect, type Size, seen } from "./camera";
import type { Places } from "./hit";
import { Overview } from "./overview";
import { Painter } from "./painter";
import { css, type Palette } from "./palette";
import { type Emphasis, FONT, LEGIBLE, Look, NO_EMPHASIS, type Picture } from "./picture";
import type { Renderer } from "./renderer";
import { Sheet } from "./sheet";
import type { Transition } from "./transition";

/** So many boxes or runs of arrows in view are drawn anew in every frame; of more a picture is kept. */
const MOST_BOXES = 140;
const MOST_RUNS = 250;
/** Boxes and arrows whose words a frame may fit for the first time: a new picture has its words within a few frames. */
const FRESH = 40;
/** Milliseconds of a frame that may go into what later frames will need. */
const AHEAD = 0.5;

export class Canvas2dRenderer implements Renderer {
  readonly kind = "canvas2d";
  draws = 0;
  readonly #context: CanvasRenderingContext2D;
  #palette: Palette;
  #picture: Picture | null = null;
  #places: Places | null = null;
  #from: Transition | null = null;
  #emphasis: Emphasis = NO_EMPHASIS;
  #painter: Painter | null = null;
  #maps = new Map<number, HTMLCanvasElement>();
  #sheet: Sheet | null = null;
  #overview: Overview | null = null;
  /** Whether there are so many boxes that pictures of them are kept. */
  #keeps = false;
  #reserving = false;
  /** Filled anew in every frame. */
  readonly #frames: number[] = [];
  readonly #closed: number[] = [];
  readonly #runs: number[] = [];

  constructor(context: CanvasRenderingContext2D, palette: Palette) {
    this.#context = context;
    this.#palette = palette;
  }

  setPalette(palette: Palette): void {
    this.#palette = palette;
    this.#anew();
  }

  setPicture(picture: Picture, places: Places, from: Transition | null): void {
    this.#picture = picture;
    this.#places = places;
    this.#from = from;
    this.#anew();
    this.setEmphasis(NO_EMPHASIS);
  }

  #anew(): void {
    if (!this.#picture) return;
    this.#painter = new Painter(this.#picture, this.#from, this.#palette);
    this.#keeps = this.#picture.visible.ids.length >= MOST_BOXES;
    if (!this.#keeps) return;
    this.#sheet ??= new Sheet();
    this.#overview ??= new Overview();
    this.#sheet.show(this.#picture, this.#painter, this.#palette, this.#emphasis.lights);
    this.#overview.show(this.#picture, this.#palette, this.#emphasis.lights);
  }

  /** Canvases are made when there is nothing to draw, not in the frame that first needs them. */
  #reserve(view: Size, density: number): void {
    if (!this.#keeps || this.#reserving) return;
    this.#reserving = true;
    whenIdle(() => this.#sheet?.reserve(view, density));
    whenIdle(() => this.#overview?.reserve());
  }

  setEmphasis(emphasis: Emphasis): void {
    if (emphasis.stamps !== this.#emphasis.stamps) {
      this.#maps = new Map();
      for (const { box, image } of emphasis.stamps) {
        const canvas = document.createElement("canvas");
        [canvas.width, canvas.height] = [image.width, image.height];
        canvas.getContext("2d")?.putImageData(image, 0, 0);
        this.#maps.set(box, canvas);
      }
    }
    if (emphasis.lights !== this.#emphasis.lights) {
      if (this.#keeps) this.#sheet?.light(emphasis.lights);
      if (this.#keeps) this.#overview?.light(emphasis.lights);
    }
    this.#emphasis = emphasis;
  }

  draw(camera: Camera, view: Size, density: number, share: number): boolean {
    const context = this.#context;
    const [picture, places, painter] = [this.#picture, this.#places, this.#painter];
    this.draws = 0;
    context.setTransform(density, 0, 0, density, 0, 0);
    context.fillStyle = css(this.#palette.paper);
    context.fillRect(0, 0, view.width, view.height);
    if (!picture || !places || !painter) return false;
    this.#reserve(view, density);
    const pixels = density * camera.scale;
    // Whole pixels, so that a kept picture is not blurred by half of one.
    context.setTransform(pixels, 0, 0, pixels, -Math.round(camera.x * pixels), -Math.round(camera.y * pixels));
    const rect = seen(camera, view);
    const [frames, closed] = [this.#frames, this.#closed];
    frames.length = closed.length = 0;
    places.within(rect, (box) => {
      ((picture.look[box] as number) & Look.open ? frames : closed).push(box);
      return frames.length + closed.length < MOST_BOXES;
    });
    const runs = this.#runsIn(painter, rect, share);
    const many = frames.length + closed.length >= MOST_BOXES || runs.length >= MOST_RUNS;
    let wanting = false;
    if (this.#keeps && this.#sheet && this.#overview && many) {
      wanting = this.#drawKept(this.#sheet, this.#overview, camera, view, density);
      for (const box of [this.#emphasis.selected, this.#emphasis.hovered]) painter.outline(context, box, camera.scale);
    } else {
      // Within a grid the order is by place; frames must go from the outermost inwards.
      const { scale } = camera;
      for (const box of frames) painter.box(context, box, this.#emphasis, scale, share);
      painter.lines(context, runs, scale, share);
      for (const box of closed) painter.box(context, box, this.#emphasis, scale, share);
      if (FONT * scale > LEGIBLE[0]) {
        const turn = painter.turn(rect, FRESH);
        for (const box of frames) painter.words(context, box, this.#emphasis, scale, share, turn);
        for (const box of closed) painter.words(context, box, this.#emphasis, scale, share, turn);
        wanting = painter.wanting;
      }
      this.draws = 4;
      if (this.#keeps && this.#overview?.paint(AHEAD)) wanting = true;
    }
    painter.hand(context, this.#emphasis, this.#maps, camera.scale);
    this.draws += 1;
    return wanting;
  }

  /** Far from readable: what is kept of the view, over what is kept of the whole; true while either is not done. */
  #drawKept(sheet: Sheet, overview: Overview, camera: Camera, view: Size, density: number): boolean {
    overview.draw(this.#context);
    const blurred = sheet.draw(this.#context, camera, view, density);
    this.draws = 2;
    // One after the other: a frame has time for one slice.
    return blurred || overview.paint();
  }

  #runsIn({ runs: all }: Painter, rect: Rect, share: number): readonly number[] {
    const runs = this.#runs;
    runs.length = 0;
    const most = this.#keeps ? MOST_RUNS : all.count;
    for (let run = 0; run < all.count && runs.length < most; run++) if (all.touches(run, rect, share)) runs.push(run);
    return runs;
  }

  dispose(): void {}
}
