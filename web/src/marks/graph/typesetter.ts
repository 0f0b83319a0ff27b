/**
 * The words in and around the view, as letters for one draw call. They are set in slices of a few milliseconds, a slice a
 * frame, those in view first; what was set before is shown until the new ones are complete.
 */
import { Atlas, type Glyph, RISE, type Run } from "./atlas";
import { type Camera, covers, type Rect, type Size, seen } from "./camera";
import type { Places } from "./hit";
import { LABEL_HEIGHT, LABEL_MOST, labelIn, labelOf } from "./labels";
import type { Palette } from "./palette";
import { FONT, LEGIBLE, type Picture } from "./picture";
import { type Tone, wordsOf } from "./words";

/** Numbers of one letter: place and box and width of a ground; texture x y width height; tone, height of a ground. */
export const LETTER = 10;
const MOST_LETTERS = 60_000;
/** Milliseconds of one frame that setting words may take. */
const SLICE = 0.8;
const TONES: Readonly<Record<Tone, number>> = { ink: 0, quiet: 1, accent: 2, high: 3 };
export const GROUND_TONE = 5;
export const FRAME_TONE = 4;
const COLOURED = 8;
const NOWHERE: Rect = { x: 0, y: 0, width: 0, height: 0 };

/** Letters of one window of the drawing, complete or on their way. */
interface Setting {
  readonly letters: Float32Array;
  count: number;
  window: Rect;
  /** Boxes, then arrows with a label, that are still to be set, from `next`. */
  boxes: readonly number[];
  arrows: readonly number[];
  next: number;
  /** Whether the texture was full on the way once: what does not fit it twice is left out. */
  again: boolean;
}

export class Typesetter {
  readonly atlas: Atlas;
  #shown = settingOf();
  #coming = settingOf();
  #setting = false;
  #picture: Picture | null = null;
  #version = -1;

  constructor(palette: Palette) {
    this.atlas = new Atlas(palette.sans, palette.ink);
  }

  /** Whether anything is large enough to be read. */
  static legible(camera: Camera): boolean {
    return FONT * camera.scale > LEGIBLE[0];
  }

  get letters(): Float32Array {
    return this.#shown.letters.subarray(0, this.#shown.count * LETTER);
  }

  get count(): number {
    return this.#shown.count;
  }

  /** Whether words in or around the view are still to be set. */
  get waiting(): boolean {
    return this.#setting;
  }

  /** Sets a slice of what the view needs; true where the letters to show are others than before. */
  set(picture: Picture, places: Places, camera: Camera, view: Size): boolean {
    const now = seen(camera, view);
    const other = this.#picture !== picture || this.#version !== this.atlas.full;
    this.#picture = picture;
    this.#version = this.atlas.full;
    if (other) this.#shown = { ...this.#shown, count: 0, window: NOWHERE };
    if (this.#setting ? other || !covers(this.#coming.window, now, 0) : !covers(this.#shown.window, now, 0.15))
      this.#begin(picture, places, now);
    if (!this.#setting) return false;
    this.atlas.refill();
    const done = this.#slice(picture);
    if (this.#version !== this.atlas.full) {
      // The texture was full on the way: what was set before points at letters that are no more.
      this.#version = this.atlas.full;
      this.#shown = { ...this.#shown, count: 0, window: NOWHERE };
      if (!this.#coming.again) this.#coming = { ...this.#coming, count: 0, next: 0, again: true };
      return true;
    }
    if (done) {
      [this.#shown, this.#coming] = [this.#coming, this.#shown];
      this.#setting = false;
      return true;
    }
    // Nothing else to show: better some words than none.
    if (covers(this.#shown.window, now, 0)) return false;
    const { letters } = this.#shown;
    letters.set(this.#coming.letters.subarray(0, this.#coming.count * LETTER));
    this.#shown = { ...this.#shown, letters, count: this.#coming.count, window: NOWHERE };
    return true;
  }

  /** A window around the view, what is in view first. */
  #begin(picture: Picture, places: Places, now: Rect): void {
    const window = {
      x: now.x - now.width / 2,
      y: now.y - now.height / 2,
      width: 2 * now.width,
      height: 2 * now.height,
    };
    const boxes = new Set<number>();
    const take = (box: number) => {
      boxes.add(box);
      return boxes.size < MOST_LETTERS / 8;
    };
    places.within(now, take);
    places.within(window, take);
    const { start, arrows: own } = picture.finding.incident;
    const arrows = new Set<number>();
    for (const box of boxes)
      for (let at = start[box] as number; at < (start[box + 1] as number); at++)
        if (picture.labelled[own[at] as number]) arrows.add(own[at] as number);
    this.#coming = { ...this.#coming, count: 0, window, boxes: [...boxes], arrows: [...arrows], next: 0, again: false };
    this.#setting = true;
  }

  /** As much as its time allows; true once all is set. */
  #slice(picture: Picture): boolean {
    const until = performance.now() + SLICE;
    const coming = this.#coming;
    const { boxes, arrows } = coming;
    for (; coming.next < boxes.length + arrows.length; coming.next++) {
      if (coming.count > MOST_LETTERS - 400) return true;
      if (performance.now() > until) return false;
      const before = coming.count;
      const version = this.atlas.full;
      if (coming.next < boxes.length) this.#words(picture, boxes[coming.next] as number);
      else this.#label(picture, arrows[coming.next - boxes.length] as number);
      if (version !== this.atlas.full) return false;
      if (this.atlas.waiting) {
        // A word whose picture has to wait for its turn: this box again in the next slice.
        coming.count = before;
        return false;
      }
    }
    return true;
  }

  #words(picture: Picture, box: number): void {
    const width = (text: string, bold: boolean) => this.atlas.width(text, bold ? "bold" : "plain");
    for (const word of wordsOf(picture, box, width)) {
      const run = this.atlas.run(word.text, word.bold ? "bold" : "plain", word.most);
      const shift = word.align === "right" ? run.width : word.align === "middle" ? run.width / 2 : 0;
      this.#put(run, word.x - shift, word.y, box, TONES[word.tone]);
    }
  }

  #label(picture: Picture, arrow: number): void {
    if (!labelIn(picture, arrow, this.#coming.window)) return;
    const label = labelOf(picture, arrow);
    if (!label) return;
    const run = this.atlas.run(label.text, "plain", LABEL_MOST);
    const [x, y] = [label.x - (label.right ? run.width : run.width / 2), label.y - LABEL_HEIGHT / 2];
    this.#letter(this.atlas.solid, x - 3, y, -1, label.framed ? FRAME_TONE : GROUND_TONE, run.width + 6, LABEL_HEIGHT);
    this.#put(run, x, label.y + 4, -1, TONES.quiet);
  }

  #put(run: Run, x: number, y: number, box: number, tone: number): void {
    for (let index = 0; index < run.glyphs.length; index++) {
      const glyph = run.glyphs[index] as Glyph;
      this.#letter(
        glyph,
        x + (run.pens[index] as number) + glyph.left,
        y - RISE,
        box,
        tone + COLOURED * glyph.coloured,
        0,
        0,
      );
    }
  }

  #letter(glyph: Glyph, x: number, y: number, box: number, tone: number, width: number, height: number): void {
    const { letters, count } = this.#coming;
    if (count >= MOST_LETTERS) return;
    const at = count * LETTER;
    letters[at] = x;
    letters[at + 1] = y;
    letters[at + 2] = box;
    letters[at + 3] = width;
    letters[at + 4] = glyph.x;
    letters[at + 5] = glyph.y;
    letters[at + 6] = glyph.width;
    letters[at + 7] = glyph.height;
    letters[at + 8] = tone;
    letters[at + 9] = height;
    this.#coming.count += 1;
  }
}

function settingOf(): Setting {
  const letters = new Float32Array(MOST_LETTERS * LETTER);
  return { letters, count: 0, window: NOWHERE, boxes: [], arrows: [], next: 0, again: false };
}
