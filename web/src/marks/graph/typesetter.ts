/** The words in and around the view, as letters for one draw call; set again only when the view leaves what was set. */
import { Atlas, type Glyph, MASTER, RISE, type Run } from "./atlas";
import { type Camera, type Rect, type Size, seen } from "./camera";
import type { Places } from "./hit";
import type { Palette } from "./palette";
import { FONT, LEGIBLE, type Picture } from "./picture";
import { LABEL_HEIGHT, LABEL_MOST, labelOf, type Tone, wordsOf } from "./words";

/** Numbers of one letter: place and box and width of a ground; texture x y width height; tone, height of a ground. */
export const LETTER = 10;
const MOST_LETTERS = 60_000;
const TONES: Readonly<Record<Tone, number>> = { ink: 0, quiet: 1, accent: 2, high: 3 };
export const GROUND_TONE = 5;
export const FRAME_TONE = 4;
const COLOURED = 8;

export class Typesetter {
  readonly atlas: Atlas;
  readonly letters = new Float32Array(MOST_LETTERS * LETTER);
  count = 0;
  #window: Rect = { x: 0, y: 0, width: 0, height: 0 };
  #picture: Picture | null = null;
  #version = -1;

  constructor(palette: Palette) {
    this.atlas = new Atlas(palette.sans, palette.ink);
  }

  /** Whether anything is large enough to be read. */
  static legible(camera: Camera): boolean {
    return FONT * camera.scale > LEGIBLE[0];
  }

  /** Sets what the view needs; true where the letters are others than before. */
  set(picture: Picture, places: Places, camera: Camera, view: Size): boolean {
    const now = seen(camera, view);
    const fits =
      this.#picture === picture &&
      this.#version === this.atlas.full &&
      !this.atlas.waiting &&
      now.x >= this.#window.x &&
      now.y >= this.#window.y &&
      now.x + now.width <= this.#window.x + this.#window.width &&
      now.y + now.height <= this.#window.y + this.#window.height;
    if (fits) return false;
    this.atlas.refill();
    this.#picture = picture;
    this.#window = {
      x: now.x - now.width / 2,
      y: now.y - now.height / 2,
      width: 2 * now.width,
      height: 2 * now.height,
    };
    this.#fill(picture, places);
    if (this.#version !== this.atlas.full) {
      // The texture was full on the way: what was set before points at letters that are no more.
      this.#version = this.atlas.full;
      this.#fill(picture, places);
    }
    this.#version = this.atlas.full;
    return true;
  }

  #fill(picture: Picture, places: Places): void {
    this.count = 0;
    const { visible } = picture;
    const inWindow = new Set<number>();
    places.within(this.#window, (box) => {
      inWindow.add(box);
      this.#words(picture, box);
      return this.count < MOST_LETTERS - 200;
    });
    for (const arrow of picture.labels.keys()) {
      if (this.count > MOST_LETTERS - 100) break;
      if (inWindow.has(visible.source[arrow] as number) || inWindow.has(visible.target[arrow] as number))
        this.#label(picture, arrow);
    }
  }

  #words(picture: Picture, box: number): void {
    for (const word of wordsOf(picture, box)) {
      const run = this.atlas.run(word.text, word.bold ? "bold" : "plain", word.most);
      const shift = word.align === "right" ? run.width : word.align === "middle" ? run.width / 2 : 0;
      this.#put(run, word.x - shift, word.y, box, TONES[word.tone]);
    }
  }

  #label(picture: Picture, arrow: number): void {
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
    if (this.count >= MOST_LETTERS) return;
    const at = this.count * LETTER;
    const letters = this.letters;
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
    this.count += 1;
  }
}

export { MASTER };
