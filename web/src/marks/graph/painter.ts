/** Draws boxes, arrows and words on a canvas: on the one that is seen, or on one that is kept. */
import { fitting } from "../fitting";
import type { Rect } from "./camera";
import { LABEL_HEIGHT, type Label, labelIn, labelOf } from "./labels";
import { borderColour, CHANGE_COLOURS, css, mixed, type Palette } from "./palette";
import {
  type Emphasis,
  FILLED,
  FONT,
  LEGIBLE,
  Light,
  Look,
  type Picture,
  RADIUS,
  ramp,
  STRIP,
  TITLE_BAR,
} from "./picture";
import { Runs } from "./runs";
import { Kind, lineOf, rounded, STROKE } from "./strokes";
import type { Transition } from "./transition";
import { barsOf, type Tone, wordsOf } from "./words";

/** A word as it fits its box. */
interface Fitted {
  readonly text: string;
  readonly x: number;
  readonly y: number;
  readonly bold: boolean;
  readonly tone: Tone;
  readonly align: CanvasTextAlign;
}

/** Words kept for so many boxes and arrows, as a frame that moves meets the same ones again. */
const KEPT = 20_000;
/** A box of fewer pixels is a plain rectangle, one of fewer still a spot of its colour. */
const TINY = 6;
const SPOT = 2.5;

export class Painter {
  readonly runs: Runs;
  readonly #picture: Picture;
  readonly #from: Transition | null;
  readonly #palette: Palette;
  readonly #plain: string;
  readonly #words = new Map<number, readonly Fitted[]>();
  readonly #labels = new Map<number, Label | null>();
  /** Shafts and heads by kind, filled anew for every call. */
  readonly #kinds: readonly (readonly [number[], number[]])[] = [
    [[], []],
    [[], []],
    [[], []],
    [[], []],
  ];
  /** By arrow, the turn in which its words were written last. */
  readonly #written: Uint32Array;
  #turns = 0;
  #fresh = 0;
  #window: Rect = { x: 0, y: 0, width: 0, height: 0 };
  /** Whether words had to be left out of the last painting. */
  wanting = false;

  constructor(picture: Picture, from: Transition | null, palette: Palette) {
    this.#picture = picture;
    this.#from = from;
    this.#palette = palette;
    this.#plain = css(palette.lineStrong);
    this.runs = new Runs(picture, from);
    this.#written = new Uint32Array(picture.visible.source.length);
  }

  /** Left upper corner and size of a box, on the way from where it was. */
  rect(box: number, share: number): [number, number, number, number] {
    const { placed } = this.#picture;
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

  #colour(box: number): string {
    const { fill } = this.#picture;
    if ((fill[4 * box + 3] as number) === 0) return this.#plain;
    return css([fill[4 * box] as number, fill[4 * box + 1] as number, fill[4 * box + 2] as number]);
  }

  /** From afar a closed box is a spot of its colour; false where it is too large for that. */
  spot(context: CanvasRenderingContext2D, box: number, lights: Uint8Array | null, scale: number): boolean {
    const { placed, change, visible } = this.#picture;
    const [width, height] = [(placed.width[box] as number) * scale, (placed.height[box] as number) * scale];
    if (height > SPOT) return false;
    if (visible.open[box]) return true;
    const told = change[box] ? CHANGE_COLOURS[change[box] as number] : undefined;
    context.fillStyle = told ? css(told) : this.#colour(box);
    context.globalAlpha = lights?.[box] === Light.dim ? 0.28 : 1;
    const least = 0.6 / scale;
    context.fillRect(
      placed.x[box] as number,
      placed.y[box] as number,
      Math.max(least, width / scale),
      Math.max(least, height / scale),
    );
    return true;
  }

  box(context: CanvasRenderingContext2D, box: number, emphasis: Emphasis, scale: number, share: number): void {
    const palette = this.#palette;
    const picture = this.#picture;
    const [x, y, width, height] = this.rect(box, share);
    const look = picture.look[box] as number;
    const change = picture.change[box] as number;
    const light = emphasis.lights?.[box] ?? Light.plain;
    const hand = box === emphasis.selected ? 2 : box === emphasis.hovered ? 1 : 0;
    context.globalAlpha = (light === Light.dim ? 0.28 : 1) * (this.#from?.appears[box] ? share : 1);
    const open = (look & Look.open) !== 0;
    const radius = Math.min(width / 2, height / 2, look & Look.terminal ? height / 2 : RADIUS);
    const tiny = Math.max(width, height) * scale < TINY;
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
      if (measured) {
        context.fillStyle = this.#colour(box);
        context.beginPath();
        // Its right corners are the box's own only where it fills the box.
        const right = strip >= width - radius ? radius : 0;
        if (tiny) context.rect(x, y, strip, height);
        else context.roundRect(x, y, strip, height, [radius, right, right, radius]);
        context.fill();
      } else if (filled < 0.5) {
        context.strokeStyle = css(palette.lineStrong);
        context.setLineDash([2, 2]);
        context.beginPath();
        context.moveTo(x + STRIP, y);
        context.lineTo(x + STRIP, y + height);
        context.stroke();
        context.setLineDash([]);
      }
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

  /** Strokes of runs, by kind. */
  lines(context: CanvasRenderingContext2D, runs: readonly number[], scale: number, share: number): void {
    const { lineStrong, quiet, bar, medium } = this.#palette;
    const colours = [quiet, bar, lineStrong, medium];
    context.globalAlpha = 0.25 + 0.6 * ramp([0.02, 0.3], scale);
    this.#gather(runs, share);
    for (let kind = 0; kind < this.#kinds.length; kind++) {
      const [shafts, heads] = this.#kinds[kind] as [number[], number[]];
      if (shafts.length + heads.length === 0) continue;
      context.strokeStyle = css(colours[kind] ?? quiet);
      context.fillStyle = context.strokeStyle;
      context.lineWidth = 1 / scale;
      context.setLineDash(kind === Kind.back ? [4, 3] : []);
      context.beginPath();
      for (let at = 0; at < shafts.length; at += 4) {
        context.moveTo(shafts[at] as number, shafts[at + 1] as number);
        context.lineTo(shafts[at + 2] as number, shafts[at + 3] as number);
      }
      context.stroke();
      context.setLineDash([]);
      context.beginPath();
      for (let at = 0; at < heads.length; at += 5) {
        head(
          context,
          heads[at] as number,
          heads[at + 1] as number,
          heads[at + 2] as number,
          heads[at + 3] as number,
          heads[at + 4] as number,
        );
      }
      context.fill();
    }
    context.globalAlpha = 1;
  }

  /** Ends of the strokes of runs on their way from where they were: of shafts four numbers, of heads also their half width. */
  #gather(runs: readonly number[], share: number): void {
    for (const [shafts, heads] of this.#kinds) shafts.length = heads.length = 0;
    for (const run of runs) {
      const { numbers, count } = this.runs.strokes(run);
      for (let at = 0; at < count * STROKE; at += STROKE) {
        const kind = this.#kinds[(numbers[at + 11] as number) & 7];
        if (!kind) continue;
        const half = numbers[at + 8] as number;
        const into = half === numbers[at + 9] ? kind[0] : kind[1];
        for (let end = at; end < at + 4; end++) {
          into.push((numbers[end] as number) * share + (numbers[end + 4] as number) * (1 - share));
        }
        if (into === kind[1]) into.push(half);
      }
    }
  }

  /** Around a box that is in hand or pointed at, where boxes are drawn without; around none at -1. */
  outline(context: CanvasRenderingContext2D, box: number, scale: number): void {
    if (box < 0) return;
    const [x, y, width, height] = this.rect(box, 1);
    context.strokeStyle = css(this.#palette.accent);
    context.lineWidth = 2 / scale;
    context.strokeRect(x, y, width, height);
  }

  /** What is in hand, and what stands on boxes beside words. */
  hand(
    context: CanvasRenderingContext2D,
    emphasis: Emphasis,
    maps: ReadonlyMap<number, HTMLCanvasElement>,
    scale: number,
  ): void {
    const picture = this.#picture;
    context.strokeStyle = css(this.#palette.accent);
    context.fillStyle = css(this.#palette.accent);
    context.lineWidth = Math.max(1.6, 1.6 / scale);
    for (const arrow of emphasis.arrows) {
      const line = rounded(lineOf(picture.placed, arrow));
      context.beginPath();
      for (let at = 0; at < line.length; at += 2) context.lineTo(line[at] as number, line[at + 1] as number);
      context.stroke();
      const [x0, y0, x1, y1] = line.slice(-4) as [number, number, number, number];
      const length = Math.hypot(x1 - x0, y1 - y0) || 1;
      const back = Math.min(1, 7 / length);
      context.beginPath();
      head(context, x1 - (x1 - x0) * back, y1 - (y1 - y0) * back, x1, y1, 3.5);
      context.fill();
    }
    for (const [box, canvas] of maps) {
      const [x, y, width, height] = this.rect(box, 1);
      context.drawImage(canvas, x + width - height + 2, y + 2, height - 4, height - 4);
    }
  }

  /** The values of the blocks that a box stands for. */
  #strip(context: CanvasRenderingContext2D, box: number): void {
    if (!((this.#picture.look[box] as number) & Look.strip)) return;
    const values = this.#picture.words.strip(box);
    const [x, y, width, height] = this.rect(box, 1);
    for (const bar of barsOf(values, width, height)) {
      context.fillStyle = css(bar.known ? this.#palette.bar : this.#palette.lineStrong);
      context.fillRect(x + bar.x - bar.half, y + bar.top, 2 * bar.half, bar.bottom - bar.top);
    }
  }

  /**
   * A number for one painting of words, in which each arrow's are written once. `fresh` boxes and arrows are fitted at most
   * that were not met before; the others stay without words this time. Words on arrows outside of the `window` are left out.
   */
  turn(window: Rect, fresh = Number.POSITIVE_INFINITY): number {
    this.#window = window;
    this.#turns += 1;
    this.#fresh = fresh;
    this.wanting = false;
    return this.#turns;
  }

  /** Whether one more may be made that was not met before. */
  #may(): boolean {
    this.wanting ||= this.#fresh <= 0;
    this.#fresh -= 1;
    return this.#fresh >= 0;
  }

  /** Words on a box, and on the arrows that begin or end there. */
  words(
    context: CanvasRenderingContext2D,
    box: number,
    emphasis: Emphasis,
    scale: number,
    share: number,
    turn: number,
  ): void {
    const { ink, quiet, accent, high, sans } = this.#palette;
    const alpha = ramp(LEGIBLE, FONT * scale);
    const [x, y] = this.rect(box, share);
    context.textBaseline = "alphabetic";
    context.globalAlpha = alpha * (emphasis.lights?.[box] === Light.dim ? 0.3 : 1);
    for (const word of this.#fitted(context, box)) {
      context.font = `${word.bold ? 600 : 400} ${FONT}px ${sans}`;
      context.fillStyle = css({ ink, quiet, accent, high }[word.tone]);
      context.textAlign = word.align;
      context.fillText(word.text, x + word.x, y + word.y);
    }
    context.globalAlpha = alpha * share;
    const { start, arrows } = this.#picture.finding.incident;
    for (let at = start[box] as number; at < (start[box + 1] as number); at++) {
      const arrow = arrows[at] as number;
      if (!this.#picture.labelled[arrow] || this.#written[arrow] === turn) continue;
      this.#written[arrow] = turn;
      if (!labelIn(this.#picture, arrow, this.#window)) continue;
      this.#label(context, arrow);
    }
    context.globalAlpha = 1;
    if (share >= 1) this.#strip(context, box);
  }

  #label(context: CanvasRenderingContext2D, arrow: number): void {
    const { quiet, paper, ground, sans } = this.#palette;
    let label = this.#labels.get(arrow);
    if (label === undefined) {
      if (!this.#may()) return;
      if (this.#labels.size > KEPT) this.#labels.clear();
      label = labelOf(this.#picture, arrow);
      this.#labels.set(arrow, label);
    }
    if (!label) return;
    context.font = `400 ${FONT}px ${sans}`;
    context.textAlign = "center";
    const width = context.measureText(label.text).width;
    const middle = label.right ? label.x - width / 2 : label.x;
    context.fillStyle = css(label.framed ? mixed(paper, ground, 0.6) : paper);
    context.fillRect(middle - width / 2 - 3, label.y - LABEL_HEIGHT / 2, width + 6, LABEL_HEIGHT);
    context.fillStyle = css(quiet);
    context.fillText(label.text, middle, label.y + 4);
  }

  #fitted(context: CanvasRenderingContext2D, box: number): readonly Fitted[] {
    const known = this.#words.get(box);
    if (known) return known;
    if (!this.#may()) return [];
    if (this.#words.size > KEPT) this.#words.clear();
    const width = (words: string, bold: boolean) => {
      context.font = `${bold ? 600 : 400} ${FONT}px ${this.#palette.sans}`;
      return context.measureText(words).width;
    };
    const fitted = wordsOf(this.#picture, box, width).map(({ text, x, y, most, bold, tone, align }) => {
      return {
        text: fitting((words) => width(words, bold), text, most),
        x,
        y,
        bold,
        tone,
        align: align === "middle" ? ("center" as const) : align,
      };
    });
    this.#words.set(box, fitted);
    return fitted;
  }
}

function head(context: CanvasRenderingContext2D, x0: number, y0: number, x1: number, y1: number, half: number): void {
  const length = Math.hypot(x1 - x0, y1 - y0) || 1;
  const [dx, dy] = [((y1 - y0) / length) * half, (-(x1 - x0) / length) * half];
  context.moveTo(x0 + dx, y0 + dy);
  context.lineTo(x1, y1);
  // Filled without being closed, which costs as much as all the rest of it.
  context.lineTo(x0 - dx, y0 - dy);
}
