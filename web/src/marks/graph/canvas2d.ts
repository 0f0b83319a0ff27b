/** The drawing without a graphics card: only what is in view, and nothing that would be too small to see. */
import { type Camera, type Rect, type Size, seen } from "./camera";
import type { Places } from "./hit";
import { Overview } from "./overview";
import { borderColour, CHANGE_COLOURS, css, mixed, type Palette } from "./palette";
import {
  type Emphasis,
  FILLED,
  FONT,
  LEGIBLE,
  Light,
  Look,
  NO_EMPHASIS,
  type Picture,
  RADIUS,
  ramp,
  STRIP,
  TITLE_BAR,
} from "./picture";
import type { Renderer } from "./renderer";
import { boundsOf, Kind, lineOf, rounded, STROKE, strokesOf } from "./strokes";
import type { Transition } from "./transition";
import { barsOf, LABEL_HEIGHT, labelOf, type Tone, wordsOf } from "./words";

const RUN = 64;
/** Of more boxes in view a picture is kept, made once; of fewer each is drawn anew. */
const MOST_BOXES = 500;
const MOST_STROKES = 6000;

export class Canvas2dRenderer implements Renderer {
  readonly kind = "canvas2d";
  draws = 0;
  readonly #context: CanvasRenderingContext2D;
  #palette: Palette;
  #picture: Picture | null = null;
  #places: Places | null = null;
  #from: Transition | null = null;
  #emphasis: Emphasis = NO_EMPHASIS;
  #strokes: Float32Array = new Float32Array(0);
  #count = 0;
  #bounds: Float32Array = new Float32Array(0);
  #maps = new Map<number, HTMLCanvasElement>();
  #cut = new Map<string, string>();
  #overview: Overview | null = null;

  constructor(context: CanvasRenderingContext2D, palette: Palette) {
    this.#context = context;
    this.#palette = palette;
  }

  setPalette(palette: Palette): void {
    this.#palette = palette;
    this.#overview = null;
  }

  setPicture(picture: Picture, places: Places, from: Transition | null): void {
    this.#picture = picture;
    this.#overview = null;
    this.#places = places;
    this.#from = from;
    const strokes = strokesOf(picture.visible, picture.placed, from?.line ?? null);
    this.#strokes = strokes.numbers;
    this.#count = strokes.count;
    this.#bounds = boundsOf(strokes.numbers, strokes.count, STROKE, RUN);
    this.setEmphasis(NO_EMPHASIS);
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
    if (emphasis.lights !== this.#emphasis.lights) this.#overview = null;
    this.#emphasis = emphasis;
  }

  draw(camera: Camera, view: Size, density: number, share: number): boolean {
    const context = this.#context;
    const [picture, places] = [this.#picture, this.#places];
    this.draws = 0;
    context.setTransform(density, 0, 0, density, 0, 0);
    context.fillStyle = css(this.#palette.paper);
    context.fillRect(0, 0, view.width, view.height);
    if (!picture || !places) return false;
    context.setTransform(
      density * camera.scale,
      0,
      0,
      density * camera.scale,
      -camera.x * camera.scale * density,
      -camera.y * camera.scale * density,
    );
    const rect = seen(camera, view);
    const boxes: number[] = [];
    places.within(rect, (box) => {
      boxes.push(box);
      return boxes.length < MOST_BOXES;
    });
    if (boxes.length >= MOST_BOXES) {
      const wanting = this.#drawOverview(picture, camera.scale);
      this.draws = 2;
      return wanting;
    }
    const frames = boxes.filter((box) => (picture.look[box] as number) & Look.open);
    const closed = boxes.filter((box) => !((picture.look[box] as number) & Look.open));
    // Within a grid the order is by place; frames must go from the outermost inwards.
    for (const box of frames) this.#drawBox(picture, box, camera.scale, share);
    this.#drawStrokes(rect, camera.scale, share);
    for (const box of closed) this.#drawBox(picture, box, camera.scale, share);
    this.#drawHand(picture, camera.scale);
    if (FONT * camera.scale > LEGIBLE[0]) this.#drawWords(picture, boxes, camera.scale, share);
    this.draws = 5;
    return false;
  }

  /** From afar: every closed box as a spot of its colour, painted once and then moved as a whole; true while unfinished. */
  #drawOverview(picture: Picture, scale: number): boolean {
    const context = this.#context;
    const { placed } = picture;
    this.#overview ??= new Overview(picture, this.#palette, this.#emphasis.lights);
    const wanting = this.#overview.paint();
    context.drawImage(this.#overview.canvas, 0, 0, placed.right, placed.bottom);
    const hand = this.#emphasis.selected;
    if (hand < 0) return wanting;
    const [x, y, width, height] = this.#rect(picture, hand, 1);
    context.strokeStyle = css(this.#palette.accent);
    context.lineWidth = 2 / scale;
    context.strokeRect(x, y, width, height);
    return wanting;
  }

  #rect(picture: Picture, box: number, share: number): [number, number, number, number] {
    const { placed } = picture;
    const to = [placed.x[box], placed.y[box], placed.width[box], placed.height[box]] as [
      number,
      number,
      number,
      number,
    ];
    const from = this.#from?.from;
    if (!from || share >= 1) return to;
    return to.map((value, index) => (from[4 * box + index] as number) * (1 - share) + value * share) as typeof to;
  }

  #drawBox(picture: Picture, box: number, scale: number, share: number): void {
    const context = this.#context;
    const palette = this.#palette;
    const [x, y, width, height] = this.#rect(picture, box, share);
    const look = picture.look[box] as number;
    const change = picture.change[box] as number;
    const light = this.#emphasis.lights?.[box] ?? Light.plain;
    const hand = box === this.#emphasis.selected ? 2 : box === this.#emphasis.hovered ? 1 : 0;
    context.globalAlpha = (light === Light.dim ? 0.28 : 1) * (this.#from?.appears[box] ? share : 1);
    const open = (look & Look.open) !== 0;
    const radius = Math.min(width / 2, height / 2, look & Look.terminal ? height / 2 : RADIUS);
    const tiny = Math.max(width, height) * scale < 6;
    const path = (shift = 0) => {
      context.beginPath();
      if (tiny) context.rect(x + shift, y + shift, width, height);
      else context.roundRect(x + shift, y + shift, width, height, radius);
    };
    const bold = look & Look.failed || change > 0 || hand === 2 || light === Light.now;
    const stroke =
      hand > 0 || light === Light.now
        ? palette.accent
        : borderColour(palette, (look & Look.failed) !== 0, change, open);
    context.lineWidth = (bold ? 2 : 1) / scale;
    if (look & Look.repeated && !tiny) {
      context.strokeStyle = css(palette.lineStrong);
      context.fillStyle = css(palette.paper);
      for (const shift of [6, 3]) {
        path(shift);
        context.fill();
        context.stroke();
      }
    }
    path();
    let body = open ? mixed(palette.paper, palette.ground, 0.6) : palette.paper;
    if (!open && change > 0) body = mixed(body, CHANGE_COLOURS[change] ?? body, 0.2);
    if (!open && light >= Light.lit) body = mixed(body, palette.accent, light === Light.now ? 0.3 : 0.1);
    if (!open && hand === 2) body = palette.accentSoft;
    context.fillStyle = css(body);
    context.fill();
    const measured = (picture.fill[4 * box + 3] as number) > 0;
    if (!open && (measured || look & Look.hollow)) {
      const filled = 1 - ramp(FILLED, scale);
      const strip = STRIP + (width - STRIP) * filled;
      context.save();
      context.clip();
      if (measured) {
        context.fillStyle = css([
          picture.fill[4 * box] as number,
          picture.fill[4 * box + 1] as number,
          picture.fill[4 * box + 2] as number,
        ]);
        context.fillRect(x, y, strip, height);
      } else if (filled < 0.5) {
        context.strokeStyle = css(palette.lineStrong);
        context.setLineDash([2, 2]);
        context.beginPath();
        context.moveTo(x + STRIP, y);
        context.lineTo(x + STRIP, y + height);
        context.stroke();
        context.setLineDash([]);
      }
      context.restore();
    }
    if (open && TITLE_BAR * scale > 3) {
      context.fillStyle = css(palette.ground);
      context.fillRect(x + 1, y + 1, width - 2, Math.min(height, TITLE_BAR) - 1);
    }
    context.strokeStyle = css(stroke);
    // From afar an open mark is a broken border, as on a card.
    const hollow = !open && !measured && (look & Look.hollow) !== 0 && ramp(FILLED, scale) <= 0.5;
    if (change === 4 || hollow) context.setLineDash(hollow ? [3.4 / scale, 2.6 / scale] : [4, 3]);
    path();
    context.stroke();
    context.setLineDash([]);
    context.globalAlpha = 1;
  }

  #drawStrokes(rect: Rect, scale: number, share: number): void {
    const context = this.#context;
    const { lineStrong, quiet, bar, medium } = this.#palette;
    const colours = [quiet, bar, lineStrong, medium];
    context.globalAlpha = 0.25 + 0.6 * ramp([0.02, 0.3], scale);
    const kinds: number[][] = [[], [], [], []];
    let drawn = 0;
    this.#inView(rect, share, (at) => {
      if (drawn++ < MOST_STROKES) kinds[(this.#strokes[at + 11] as number) & 7]?.push(at);
    });
    kinds.forEach((strokes, kind) => {
      if (strokes.length === 0) return;
      context.strokeStyle = css(colours[kind] ?? quiet);
      context.fillStyle = context.strokeStyle;
      context.lineWidth = 1 / scale;
      context.setLineDash(kind === Kind.back ? [4, 3] : []);
      context.beginPath();
      const heads: number[][] = [];
      for (const at of strokes) {
        const numbers = this.#strokes;
        const end = (index: number) =>
          (numbers[at + index] as number) * share + (numbers[at + 4 + index] as number) * (1 - share);
        const [x0, y0, x1, y1] = [end(0), end(1), end(2), end(3)];
        const half = numbers[at + 8] as number;
        if (half !== numbers[at + 9]) heads.push([x0, y0, x1, y1, half]);
        else {
          context.moveTo(x0, y0);
          context.lineTo(x1, y1);
        }
      }
      context.stroke();
      context.setLineDash([]);
      context.beginPath();
      for (const one of heads) head(context, one);
      context.fill();
    });
    context.globalAlpha = 1;
  }

  #inView(rect: Rect, share: number, visit: (at: number) => void): void {
    for (let run = 0; 4 * run < this.#bounds.length; run++) {
      const [left, top, right, bottom] = this.#bounds.subarray(4 * run, 4 * run + 4) as unknown as [
        number,
        number,
        number,
        number,
      ];
      if (share >= 1 && (left > rect.x + rect.width || right < rect.x || top > rect.y + rect.height || bottom < rect.y))
        continue;
      for (let index = run * RUN; index < Math.min(this.#count, (run + 1) * RUN); index++) visit(index * STROKE);
    }
  }

  #drawHand(picture: Picture, scale: number): void {
    const context = this.#context;
    context.strokeStyle = css(this.#palette.accent);
    context.fillStyle = css(this.#palette.accent);
    context.lineWidth = Math.max(1.6, 1.6 / scale);
    for (const arrow of this.#emphasis.arrows) {
      const line = rounded(lineOf(picture.placed, arrow));
      context.beginPath();
      for (let at = 0; at < line.length; at += 2) context.lineTo(line[at] as number, line[at + 1] as number);
      context.stroke();
      const [x0, y0, x1, y1] = line.slice(-4) as [number, number, number, number];
      const length = Math.hypot(x1 - x0, y1 - y0) || 1;
      const back = Math.min(1, 7 / length);
      context.beginPath();
      head(context, [x1 - (x1 - x0) * back, y1 - (y1 - y0) * back, x1, y1, 3.5]);
      context.fill();
    }
    for (const [box, values] of picture.strips) {
      const [x, y, width, height] = this.#rect(picture, box, 1);
      for (const bar of barsOf(values, width, height)) {
        context.fillStyle = css(bar.known ? this.#palette.bar : this.#palette.lineStrong);
        context.fillRect(x + bar.x - bar.half, y + bar.top, 2 * bar.half, bar.bottom - bar.top);
      }
    }
    for (const [box, canvas] of this.#maps) {
      const [x, y, width, height] = this.#rect(picture, box, 1);
      context.drawImage(canvas, x + width - height + 2, y + 2, height - 4, height - 4);
    }
  }

  #drawWords(picture: Picture, boxes: readonly number[], scale: number, share: number): void {
    const context = this.#context;
    const { ink, quiet, accent, high, paper, sans } = this.#palette;
    const tones: Readonly<Record<Tone, string>> = {
      ink: css(ink),
      quiet: css(quiet),
      accent: css(accent),
      high: css(high),
    };
    const alpha = ramp(LEGIBLE, FONT * scale);
    context.textBaseline = "alphabetic";
    for (const box of boxes) {
      const [x, y] = this.#rect(picture, box, share);
      context.globalAlpha = alpha * (this.#emphasis.lights?.[box] === Light.dim ? 0.3 : 1);
      for (const word of wordsOf(picture, box)) {
        context.font = `${word.bold ? 600 : 400} ${FONT}px ${sans}`;
        context.fillStyle = tones[word.tone];
        context.textAlign = word.align === "middle" ? "center" : word.align;
        context.fillText(this.#fitting(word.text, word.most, word.bold), x + word.x, y + word.y);
      }
    }
    context.font = `400 ${FONT}px ${sans}`;
    context.textAlign = "center";
    context.globalAlpha = alpha * share;
    const here = new Set(boxes);
    for (const arrow of picture.labels.keys()) {
      if (!here.has(picture.visible.source[arrow] as number) && !here.has(picture.visible.target[arrow] as number))
        continue;
      const label = labelOf(picture, arrow);
      if (!label) continue;
      const width = context.measureText(label.text).width;
      const middle = label.right ? label.x - width / 2 : label.x;
      context.fillStyle = css(label.framed ? mixed(paper, this.#palette.ground, 0.6) : paper);
      context.fillRect(middle - width / 2 - 3, label.y - LABEL_HEIGHT / 2, width + 6, LABEL_HEIGHT);
      context.fillStyle = css(quiet);
      context.fillText(label.text, middle, label.y + 4);
    }
    context.globalAlpha = 1;
  }

  #fitting(text: string, most: number, bold: boolean): string {
    const key = `${bold} ${Math.round(most)} ${text}`;
    const known = this.#cut.get(key);
    if (known !== undefined) return known;
    let short = text;
    if (this.#context.measureText(text).width > most) {
      const letters = [...text].slice(0, 200);
      while (letters.length > 0 && this.#context.measureText(`${letters.join("")}…`).width > most) letters.pop();
      short = `${letters.join("")}…`;
    }
    if (this.#cut.size > 20_000) this.#cut.clear();
    this.#cut.set(key, short);
    return short;
  }

  dispose(): void {}
}

function head(context: CanvasRenderingContext2D, numbers: readonly number[]): void {
  const [x0, y0, x1, y1, half] = numbers as [number, number, number, number, number];
  const length = Math.hypot(x1 - x0, y1 - y0) || 1;
  const [dx, dy] = [((y1 - y0) / length) * half, (-(x1 - x0) / length) * half];
  context.moveTo(x0 + dx, y0 + dy);
  context.lineTo(x1, y1);
  context.lineTo(x0 - dx, y0 - dy);
  context.closePath();
}
