/**
 * Letters as pictures, each drawn once: one texture from which all text on screen is put together in one draw call.
 *
 * Latin, Greek, Cyrillic and Chinese or Japanese signs stand alone; what joins, turns or combines (Arabic, Hebrew,
 * Devanagari, emoji) is drawn as a whole, at most `BUDGET` new ones each time, so that no frame takes long.
 */
import { css, type Rgb } from "./palette";
import { FONT } from "./picture";

const SIDE = 2048;
/** Pixels of the texture for one unit of the drawing. */
export const MASTER = 3.5;
const PAD = 3;
const BUDGET = 24;
const MOST_WHOLE = 40;
/** Letters that are measured: more are wider than any box. */
const MOST_MEASURED = 200;
const ALONE =
  /^[\p{Script=Latin}\p{Script=Greek}\p{Script=Cyrillic}\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Nd}\p{P}\p{S}\p{Zs}\ufffd]*$/u;
const PICTURED = /\p{Extended_Pictographic}|\p{M}|\u200d|\ufe0f/u;

export type Weight = "plain" | "bold";

export interface Glyph {
  /** Place in the texture, in pixels. */
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  /** From the pen to the left edge, and how far the pen moves, in units of the drawing. */
  readonly left: number;
  readonly advance: number;
  /** 1 where it has its own colours. */
  readonly coloured: number;
}

export interface Run {
  readonly glyphs: readonly Glyph[];
  /** Place of the pen of each. */
  readonly pens: readonly number[];
  readonly width: number;
}

const EMPTY: Run = { glyphs: [], pens: [], width: 0 };

export class Atlas {
  /** What was drawn since it was last taken: left, top, right, bottom; empty where right <= left. */
  #changed = [SIDE, SIDE, 0, 0];
  /** Whether texts had to wait for their turn. */
  waiting = false;
  /** How often it was full: texts put together before that must be put together again. */
  full = 0;
  /** A white spot, to paint grounds with. */
  readonly solid: Glyph;
  readonly #context: CanvasRenderingContext2D;
  readonly #family: string;
  readonly #ink: Rgb;
  #known = new Map<string, Glyph>();
  #runs = new Map<string, Run>();
  #x = 0;
  #y = 0;
  #left = BUDGET;

  constructor(family: string, ink: Rgb) {
    const canvas = document.createElement("canvas");
    canvas.width = SIDE;
    canvas.height = SIDE;
    const context = canvas.getContext("2d", { willReadFrequently: true });
    if (!context) throw new Error("This browser gave no canvas to draw letters on.");
    this.#context = context;
    this.#family = family;
    this.#ink = ink;
    context.textBaseline = "alphabetic";
    this.solid = this.#reset();
  }

  get side(): number {
    return SIDE;
  }

  /** A new turn: as many whole texts may be drawn again. */
  refill(): void {
    this.#left = BUDGET;
    this.waiting = false;
  }

  /** The part of the texture that is new since the last call; null where nothing is. */
  take(): { x: number; y: number; pixels: ImageData } | null {
    const [left, top, right, bottom] = this.#changed as [number, number, number, number];
    if (right <= left) return null;
    this.#changed = [SIDE, SIDE, 0, 0];
    return { x: left, y: top, pixels: this.#context.getImageData(left, top, right - left, bottom - top) };
  }

  #touch(left: number, top: number, right: number, bottom: number): void {
    const [a, b, c, d] = this.#changed as [number, number, number, number];
    this.#changed = [Math.min(a, left), Math.min(b, top), Math.max(c, right), Math.max(d, bottom)];
  }

  /** A text cut to a width, from letters that are in the texture afterwards. */
  run(text: string, weight: Weight, most: number): Run {
    if (text === "" || most <= 0) return EMPTY;
    const key = `${weight} ${Math.round(most)} ${text}`;
    const known = this.#runs.get(key);
    if (known) return known;
    const made =
      ALONE.test(text) && !PICTURED.test(text) ? this.#letters(text, weight, most) : this.#whole(text, weight, most);
    if (made) this.#runs.set(key, made);
    return made ?? EMPTY;
  }

  #letters(text: string, weight: Weight, most: number): Run {
    const glyphs: Glyph[] = [];
    const pens: number[] = [];
    let pen = 0;
    for (const letter of text) {
      const glyph = this.#glyph(letter, weight, false);
      if (pen + glyph.advance > most) return this.#cut(glyphs, pens, pen, weight, most);
      glyphs.push(glyph);
      pens.push(pen);
      pen += glyph.advance;
    }
    return { glyphs, pens, width: pen };
  }

  #cut(glyphs: Glyph[], pens: number[], end: number, weight: Weight, most: number): Run {
    const dots = this.#glyph("…", weight, false);
    let pen = end;
    while (glyphs.length > 0 && pen + dots.advance > most) {
      glyphs.pop();
      pen = pens.pop() ?? 0;
    }
    return { glyphs: [...glyphs, dots], pens: [...pens, pen], width: pen + dots.advance };
  }

  /** null where the budget of this turn is spent. */
  #whole(text: string, weight: Weight, most: number): Run | null {
    if (this.#left <= 0) {
      this.waiting = true;
      return null;
    }
    this.#left -= 1;
    let short = [...text].slice(0, MOST_WHOLE).join("");
    const fits = (words: string) => this.#measure(words, weight).width / MASTER <= most;
    if (short !== text || !fits(short)) {
      while (short.length > 0 && !fits(`${short}…`)) short = [...short].slice(0, -1).join("");
      short = `${short}…`;
    }
    const glyph = this.#glyph(short, weight, true);
    return { glyphs: [glyph], pens: [0], width: glyph.advance };
  }

  /** Of a whole text, in pixels of the drawing; nothing is put into the texture. */
  width(text: string, weight: Weight): number {
    return this.#measure(text.slice(0, MOST_MEASURED), weight).width / MASTER;
  }

  #measure(text: string, weight: Weight): TextMetrics {
    this.#context.font = `${weight === "bold" ? 600 : 400} ${FONT * MASTER}px ${this.#family}`;
    return this.#context.measureText(text);
  }

  #glyph(text: string, weight: Weight, coloured: boolean): Glyph {
    const key = `${weight}${coloured ? "!" : " "}${text}`;
    const known = this.#known.get(key);
    if (known) return known;
    const metrics = this.#measure(text, weight);
    const left = Math.ceil(Math.max(0, metrics.actualBoundingBoxLeft)) + PAD;
    const width = Math.min(SIDE - 2, left + Math.ceil(Math.max(0, metrics.actualBoundingBoxRight)) + PAD);
    const height = Math.ceil(FONT * MASTER * 1.4) + 2 * PAD;
    if (this.#x + width > SIDE) {
      this.#x = 0;
      this.#y += height;
    }
    if (this.#y + height > SIDE) this.#reset();
    const [x, y] = [this.#x, this.#y];
    this.#x += width;
    this.#context.save();
    this.#context.beginPath();
    this.#context.rect(x, y, width, height);
    this.#context.clip();
    this.#context.fillStyle = coloured ? css(this.#ink) : "#fff";
    this.#context.fillText(text, x + left, y + PAD + FONT * MASTER * 1.05);
    this.#context.restore();
    const glyph = {
      x,
      y,
      width,
      height,
      left: -left / MASTER,
      advance: metrics.width / MASTER,
      coloured: coloured ? 1 : 0,
    };
    this.#known.set(key, glyph);
    this.#touch(x, y, x + width, y + height);
    return glyph;
  }

  /** Full: everything is drawn anew when it is next needed. */
  #reset(): Glyph {
    this.#known = new Map();
    this.#runs = new Map();
    this.#context.clearRect(0, 0, SIDE, SIDE);
    this.#context.fillStyle = "#fff";
    this.#context.fillRect(0, 0, 16, 16);
    this.#x = 16 + PAD;
    this.#y = 0;
    // The rest of the texture on the card is left as it is: no letter points there until it is drawn over.
    this.#touch(0, 0, 16, 16);
    this.full += 1;
    return { x: 6, y: 6, width: 4, height: 4, left: 0, advance: 4, coloured: 0 };
  }
}

/** From the top of a letter's picture to its baseline, in units of the drawing. */
export const RISE = FONT * 1.05 + PAD / MASTER;
