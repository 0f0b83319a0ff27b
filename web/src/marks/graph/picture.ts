/** What the renderers draw: boxes and arrows where they stand, with their words, colours and marks. */
import { HEADER, type Placed, type Visible } from "../../layout/types";
import type { Rect } from "./camera";
import type { Finding } from "./finding";
import type { Small } from "./small";

/** How a box looks; bits of `Picture.look`. */
export const Look = {
  /** A frame around what it holds. */
  open: 1,
  /** Stands for several equal blocks: drawn as a stack. */
  repeated: 2,
  /** Where the signal comes in or goes out. */
  terminal: 4,
  /** The chosen quantity was not measured: an open mark. */
  hollow: 8,
  /** The forward failed here. */
  failed: 16,
  /** Holds something: can be opened. */
  holds: 32,
  /** Bears the values of the blocks that it stands for. */
  strip: 64,
} as const;

/** What became of a box on the way from another graph; `Picture.change`. */
export const Change = { none: 0, added: 1, removed: 2, changed: 3, moved: 4 } as const;

/** How strongly a box stands out now; changes without a new picture. */
export const Light = { plain: 0, dim: 1, lit: 2, now: 3 } as const;

/** All of a picture but its words, in columns: as it comes from a worker. */
export interface Drawn {
  readonly visible: Visible;
  readonly placed: Placed;
  /** RGBA by box; nothing where not measured. */
  readonly fill: Uint8Array;
  readonly look: Uint8Array;
  readonly change: Uint8Array;
  /** Letters of the words on each arrow; 0 where it bears none. */
  readonly labelled: Uint8Array;
  readonly finding: Finding;
  /** The whole of it in a few pixels. */
  readonly small: Small;
}

/** What is written, made when it is first drawn: of a large picture most of it never is. */
export interface Words {
  /** A box's name, what it is with the measure, and its multiplier. */
  title(box: number): string;
  line(box: number): string;
  /** The end of that line which is kept where there is no room for all of it: the measure; nothing where it has none. */
  brief(box: number): string;
  badge(box: number): string;
  /** Values of the blocks that a box stands for, between 0 and 1; null where one was not measured. */
  strip(box: number): readonly (number | null)[];
  /** On an arrow. */
  label(arrow: number): string;
}

/** Between the parts of a line. */
export const JOIN = " · ";

export interface Picture extends Drawn {
  readonly words: Words;
}

/** A small picture on a box: a map with values already turned to pixels. */
export interface Stamp {
  readonly box: number;
  readonly image: ImageData;
}

/** What is in hand or pointed at; changes without a new picture. */
export interface Emphasis {
  readonly selected: number;
  readonly hovered: number;
  /** Arrows that show whole and in the accent's colour. */
  readonly arrows: readonly number[];
  /** One of `Light` by box; null where all are plain. */
  readonly lights: Uint8Array | null;
  readonly stamps: readonly Stamp[];
}

export const NO_EMPHASIS: Emphasis = { selected: -1, hovered: -1, arrows: [], lights: null, stamps: [] };

/** Sizes in units of the drawing, the same for every renderer. */
export const TITLE_BAR = HEADER;
export const RADIUS = 4;
export const STRIP = 6;
export const FONT = 12;
export const LINE = 16;
export const HEAD = 7;
export const STRIP_HEIGHT = 12;

/** Below this size of letters on screen nothing is written; above the second they are fully there. */
export const LEGIBLE = [5.5, 7] as const;
/** Below these scales a box is filled with its colour; above, the colour is a strip at its side. */
export const FILLED = [0.28, 0.46] as const;

export function wholeOf(placed: Placed): Rect {
  return { x: 0, y: 0, width: placed.right, height: placed.bottom };
}

export function rectOf(placed: Placed, box: number): Rect {
  return {
    x: placed.x[box] ?? 0,
    y: placed.y[box] ?? 0,
    width: placed.width[box] ?? 0,
    height: placed.height[box] ?? 0,
  };
}

/** 0 below the first, 1 above the second, straight between. */
export function ramp([low, high]: readonly [number, number], value: number): number {
  return Math.min(1, Math.max(0, (value - low) / (high - low)));
}
