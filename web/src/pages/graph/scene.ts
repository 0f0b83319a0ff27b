/** From a model's columns to a picture that is ready to be drawn: folded, laid out, sized and coloured. Runs in a worker. */

import { type Folding, foldColumns } from "../../layout/fold";
import { FrameCache } from "../../layout/framecache";
import { layOut } from "../../layout/layout";
import type { Maker } from "../../layout/messages";
import type { Placed, Visible } from "../../layout/types";
import { findingOf } from "../../marks/graph/finding";
import type { Rgb } from "../../marks/graph/palette";
import type { Drawn } from "../../marks/graph/picture";
import { smallOf } from "../../marks/graph/small";
import { linesFrom, type Moves, movesOf, type Stood } from "../../marks/graph/transition";
import { arrowLetters, type Coloured, coloured, sizesOf } from "./boxes";
import type { DrawingColumns } from "./columns";
import { MEASURES, type Measure, type MeasureId } from "./measures";
import { boxValues } from "./values";

/** What is drawn and how; all of it can cross to a worker. */
export interface SceneAsk extends Folding {
  /** Of this picture, and of the one that stands: there it comes from. */
  readonly number: number;
  readonly from: number | null;
  readonly measure: MeasureId;
  /** By place. */
  readonly shown: Float64Array;
  /** Whether boxes are as high as their value is large. */
  readonly sized: boolean;
  /** Whether boxes leave room for the picture of what an example makes there. */
  readonly pictured: boolean;
  readonly shapes: boolean;
  /** The scale reaches at least so far: two pictures that are compared share it. */
  readonly reaches: number;
  readonly dark: boolean;
  /** One of `Change` by place; nothing where graphs are not compared. */
  readonly changes: Uint8Array;
  /** Whether a graphics card draws it. */
  readonly card: boolean;
  /** The page's pixels for each of its own, and two colours of its theme, for the small picture. */
  readonly density: number;
  readonly ground: Rgb;
  readonly plain: Rgb;
}

export interface Scene extends Drawn, Pick<Coloured, "domain" | "most"> {
  readonly number: number;
  /** By place, the box that is a call, holds it or stands for it; -1 where it is written on an arrow. */
  readonly box: Int32Array;
  /** Where all comes from in the picture that stands; null where nothing moves. */
  readonly moves: Moves | null;
}

export class SceneMaker implements Maker<SceneAsk, Scene> {
  readonly #columns: DrawingColumns;
  readonly #cache = new FrameCache();
  /** What may be standing on the page, by its number. */
  readonly #stood = new Map<number, Stood>();

  constructor(columns: DrawingColumns) {
    this.#columns = columns;
  }

  *make(ask: SceneAsk): Generator<undefined, Scene> {
    for (const number of this.#stood.keys()) if (number !== ask.from) this.#stood.delete(number);
    const measure = MEASURES.find((one) => one.id === ask.measure) as Measure;
    const values = boxValues(this.#columns, measure, ask.shown);
    const size = sizesOf(this.#columns, values, measure, ask);
    const { visible, places, box } = foldColumns(this.#columns, ask, size);
    yield;
    const placed = yield* layOut(visible, this.#cache);
    yield;
    const { domain, most, ...looks } = coloured(this.#columns, visible, places, { ask, measure, values });
    yield;
    const labelled = arrowLetters(this.#columns, visible, places, ask.shapes);
    const before = ask.from === null ? undefined : this.#stood.get(ask.from);
    const moves = before ? movesOf(before, { visible, placed }) : null;
    yield;
    const oldLine = before && moves ? linesFrom(before.placed, moves.was) : null;
    const finding = yield* findingOf(visible, placed, labelled, { oldLine, card: ask.card });
    yield;
    const small = smallOf(visible, placed, looks.fill, ask);
    this.#stood.set(ask.number, copyOf(visible, placed));
    return { number: ask.number, visible, box, placed, ...looks, labelled, finding, small, moves, domain, most };
  }
}

/** What is handed to the page is gone here. */
function copyOf({ ids, source, target }: Visible, { x, y, width, height, start, points }: Placed): Stood {
  return {
    visible: { ids: ids.slice(), source: source.slice(), target: target.slice() },
    placed: {
      x: x.slice(),
      y: y.slice(),
      width: width.slice(),
      height: height.slice(),
      start: start.slice(),
      points: points.slice(),
    },
  };
}
