/** Sizes, colours and marks of boxes, and room for words on arrows, from columns. */
import type { Visible } from "../../layout/types";
import { colormap } from "../../marks/colormap";
import { JOIN, Look } from "../../marks/graph/picture";
import { type DrawingColumns, letters, Mark } from "./columns";
import { badgeText, measured, more, passesBorder, returned } from "./compose";
import { domainOfValues, type Measure, placeOn } from "./measures";
import type { BoxValues } from "./values";

const LETTER = 6.9;
/** A letter of a name, which is bold. */
const BOLD = 7.6;
/** Most that a frame is widened by its title. */
const MOST_TITLE = 280;
const HEIGHT = 44;
const STRIP_HEIGHT = 60;
const LOW_HEIGHT = 28;
/** Width that a picture on a box takes. */
const PICTURE_ROOM = 40;
/** With sizes, the largest value makes a box this much higher. */
const GROWTH = 66;

/**
 * Width and height of a closed box, from its call's place and how many blocks it stands for; of an open one the width
 * that its title takes, which is all in one line.
 */
export function sizesOf(
  columns: DrawingColumns,
  values: BoxValues,
  measure: Measure,
  { sized, pictured }: { sized: boolean; pictured: boolean },
): (place: number, times: number, open?: boolean) => readonly [number, number] {
  // Of very many calls most have the same few values, and to write a number takes longer than to look it up.
  const known = [new Map<number, number>(), new Map<number, number>()] as const;
  const lettersOf = (value: number, times: number) => {
    const of = known[times > 1 ? 1 : 0];
    let count = of.get(value);
    if (count === undefined) {
      count = letters(measured(measure, value, times));
      of.set(value, count);
    }
    return count;
  };
  return (place, times, open = false) => {
    const value = values.at(place, times);
    const standing = columns.line[place] as number;
    const said = lettersOf(value, times);
    const line = standing + said + (standing > 0 && said > 0 ? JOIN.length : 0);
    const badge = letters(badgeText(times, columns.loop[columns.group[place] as number] === 1));
    if (open) {
      const bold = (columns.title[place] as number) + 2 + (badge ? badge + 2 : 0);
      return [Math.round(Math.min(MOST_TITLE, bold * BOLD + line * LETTER + 26) / 4) * 4, HEIGHT];
    }
    const most = Math.max(((columns.title[place] as number) + (badge ? badge + 2 : 0)) * BOLD, (line + 1) * LETTER);
    const width = Math.round(Math.min(236, Math.max(92, most + 34)) / 4) * 4;
    const plain = times > 1 && values.differ(place) ? STRIP_HEIGHT : line === 0 ? LOW_HEIGHT : HEIGHT;
    const share =
      sized && !Number.isNaN(value) && values.largest > 0
        ? Math.sqrt(Math.min(1, Math.abs(value) / values.largest))
        : 0;
    return [width + (pictured ? PICTURE_ROOM : 0), plain + Math.round(GROWTH * share)];
  };
}

export interface Coloured {
  readonly fill: Uint8Array;
  readonly look: Uint8Array;
  readonly change: Uint8Array;
  /** Of the colours. */
  readonly domain: readonly [number, number];
  /** The largest value of a closed box. */
  readonly most: number;
}

/** `places` is by box. */
export function coloured(
  columns: DrawingColumns,
  visible: Visible,
  places: Int32Array,
  {
    ask,
    measure,
    values,
  }: {
    ask: { reaches: number; dark: boolean; changes: Uint8Array };
    measure: Measure;
    values: BoxValues;
  },
): Coloured {
  const count = places.length;
  const look = new Uint8Array(count);
  const change = new Uint8Array(count);
  const own = new Float64Array(count);
  let most = 0;
  for (let box = 0; box < count; box++) {
    const place = places[box] as number;
    const times = visible.times[box] as number;
    const value = values.at(place, times);
    const marks = columns.marks[place] as number;
    const open = visible.open[box] === 1;
    own[box] = open ? Number.NaN : value;
    if (!open && Math.abs(value) > most) most = Math.abs(value);
    change[box] = ask.changes[place] ?? 0;
    look[box] =
      (open ? Look.open : 0) |
      (times > 1 ? Look.repeated : 0) |
      (marks & Mark.terminal ? Look.terminal : 0) |
      (measure.id !== "none" && Number.isNaN(value) && !(marks & Mark.terminal) ? Look.hollow : 0) |
      (marks & Mark.failed ? Look.failed : 0) |
      ((columns.end[place] as number) > place + 1 ? Look.holds : 0) |
      (!open && times > 1 && values.differ(place) ? Look.strip : 0);
  }
  const domain = domainOfValues(measure, [most, ask.reaches]);
  return { fill: filled(own, measure, domain, ask.dark), look, change, domain, most };
}

/** RGBA by box; nothing where there is no value. */
function filled(values: Float64Array, measure: Measure, domain: readonly [number, number], dark: boolean): Uint8Array {
  const fill = new Uint8Array(4 * values.length);
  if (measure.id === "none") return fill;
  const colours = colormap(measure.colours, dark);
  for (let box = 0; box < values.length; box++) {
    const value = values[box] as number;
    // Nothing of a sum is not measured as little: it is left plain, so that what there is stands out.
    if (Number.isNaN(value) || (value === 0 && measure.folded === "sum")) continue;
    const at = 3 * Math.round(255 * Math.min(1, Math.max(0, placeOn(measure, value, domain))));
    for (let part = 0; part < 3; part++) fill[4 * box + part] = colours[at + part] as number;
    fill[4 * box + 3] = 255;
  }
  return fill;
}

/** Letters of the words on each arrow, as `arrowWords` writes them; 0 where there are none, 255 at most. */
export function arrowLetters(
  columns: DrawingColumns,
  visible: Visible,
  places: Int32Array,
  shapes: boolean,
): Uint8Array {
  let placeOf: Map<number, number> | null = null;
  const acting = (id: number) => {
    placeOf ??= new Map(Array.from(columns.ids, (one, place) => [one, place]));
    return columns.acting[placeOf.get(id) ?? -1] ?? 0;
  };
  const { source, edge, weight, label, back, group } = visible;
  const all = new Uint8Array(source.length);
  for (let arrow = 0; arrow < all.length; arrow++) {
    const from = source[arrow] as number;
    const of = edge[arrow] as number;
    const passes = passesBorder(visible, arrow);
    const acts = columns.acts[of] as number;
    let [count, parts] = [0, 0];
    const add = (more: number) => {
      count += more;
      parts++;
    };
    if (back[arrow]) add(returned(columns.times[group[from] as number]).length);
    if ((label[arrow] as number) >= 0) add(acting(label[arrow] as number));
    else if (acts > 0 && !columns.activation[places[from] as number] && !passes) add(acts);
    if (shapes && !back[arrow] && !passes) add((columns.shape[of] as number) + more(weight[arrow] as number).length);
    all[arrow] = Math.min(255, count + JOIN.length * Math.max(0, parts - 1));
  }
  return all;
}
