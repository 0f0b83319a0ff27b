/** From a folded graph and where it stands to a picture: names, colours, badges and words on arrows. */
import type { GraphModel } from "../../layout/model";
import type { Placed, Visible } from "../../layout/types";
import { colormap } from "../../marks/colormap";
import { number } from "../../marks/format";
import { Look, type Picture } from "../../marks/graph/picture";
import type { GraphNode } from "../../record/schema.gen";
import { blockValues, boxValue, domainOfValues, type Measure, placeOn } from "./measures";

const LETTER = 6.9;
const HEIGHT = 44;
const STRIP_HEIGHT = 60;
const LOW_HEIGHT = 28;
/** Width that a picture on a box takes. */
const PICTURE_ROOM = 40;
/** With sizes, the largest value makes a box this much higher. */
const GROWTH = 66;

/** What is drawn and how, beside what is folded. */
export interface Wishes {
  readonly measure: Measure;
  /** By place in the model. */
  readonly shown: Float64Array;
  /** Whether boxes are as high as their value is large. */
  readonly sized: boolean;
  /** Whether boxes leave room for the picture of what an example makes there. */
  readonly pictured?: boolean;
  /** The largest value of a call, for sizes: known before anything is folded, so that folding changes no size. */
  readonly largest: number;
  readonly shapes: boolean;
  /** The scale reaches at least so far: two pictures that are compared share it. */
  readonly reaches: number;
  readonly dark: boolean;
  /** One of `Change` by id of the node. */
  readonly changes: ReadonlyMap<number, number>;
}

export function titleOf(node: GraphNode): string {
  if (node.name !== "") return node.name;
  return node.kind === "module" && node.path === "" ? "the model" : node.path || node.operation;
}

/** 64×7×7; sizes that are not known are question marks. */
export function compactShape(extents: readonly number[]): string {
  return extents.length === 0 ? "scalar" : extents.map((extent) => (extent < 0 ? "?" : String(extent))).join("×");
}

/** What a box says under its name: its operation where the name does not, how long it runs, and the measure. */
export function lineOf(node: GraphNode, value: number, measure: Measure, times: number): string {
  const parts: string[] = [];
  if (node.operation && node.operation.toLowerCase() !== titleOf(node).toLowerCase().replace(/\(\)$/, ""))
    parts.push(node.operation);
  if (node.steps !== null) parts.push(`${number(node.steps)} steps`);
  if (node.pool) parts.push(poolInShort(node));
  // Nothing of a sum is not worth a word: most calls have no parameters.
  if (!Number.isNaN(value) && measure.id !== "none" && (value !== 0 || measure.folded === "most"))
    parts.push(measure.text(value) + (times > 1 ? " in all" : ""));
  return parts.join(" · ");
}

function poolInShort({ pool }: GraphNode): string {
  if (!pool) return "";
  const size = pool.window.join("×");
  return `${size}${pool.stride.some((step, axis) => step !== pool.window[axis]) ? `/${pool.stride.join("×")}` : ""}`;
}

export function badgeOf(model: GraphModel, id: number, times: number): string {
  if (times <= 1) return "";
  return model.groupOf(id)?.kind === "loop" ? `× ${number(times)} steps` : `× ${number(times)}`;
}

/** Width and height of a closed box. */
export function sizeOf(
  model: GraphModel,
  wishes: Wishes,
): (node: GraphNode, times: number) => readonly [number, number] {
  return (node, times) => {
    const value = boxValue(wishes.measure, model, wishes.shown, node.id, times);
    const line = lineOf(node, value, wishes.measure, times);
    const badge = badgeOf(model, node.id, times);
    const letters = Math.max([...titleOf(node)].length + (badge ? badge.length + 2 : 0), [...line].length + 1);
    const width = Math.round(Math.min(236, Math.max(92, letters * LETTER + 34)) / 4) * 4;
    const strip = times > 1 && blockValues(model, wishes.shown, node.id) !== null;
    const plain = strip ? STRIP_HEIGHT : line === "" ? LOW_HEIGHT : HEIGHT;
    const share =
      wishes.sized && !Number.isNaN(value) && wishes.largest > 0
        ? Math.sqrt(Math.min(1, Math.abs(value) / wishes.largest))
        : 0;
    return [width + (wishes.pictured ? PICTURE_ROOM : 0), plain + Math.round(GROWTH * share)];
  };
}

/** Largest value of a call that holds no other. */
export function largestOf(model: GraphModel, shown: Float64Array): number {
  let largest = 0;
  for (let at = 0; at < shown.length; at++) {
    const value = Math.abs(shown[at] as number);
    if ((model.end[at] as number) === at + 1 && value > largest) largest = value;
  }
  return largest;
}

export interface Composed {
  readonly picture: Picture;
  /** Of the colours. */
  readonly domain: readonly [number, number];
  /** The largest value on screen here. */
  readonly most: number;
  /** Value of each box; NaN where not measured. */
  readonly values: Float64Array;
}

export function compose(model: GraphModel, visible: Visible, placed: Placed, wishes: Wishes): Composed {
  const count = visible.ids.length;
  const { measure, shown } = wishes;
  const values = new Float64Array(count);
  const titles = new Array<string>(count);
  const lines = new Array<string>(count);
  const badges = new Array<string>(count);
  const look = new Uint8Array(count);
  const change = new Uint8Array(count);
  const fill = new Uint8Array(4 * count);
  const strips = new Map<number, readonly (number | null)[]>();
  const closed: number[] = [];
  for (let box = 0; box < count; box++) {
    const id = visible.ids[box] as number;
    const times = visible.times[box] as number;
    const node = model.node(id);
    if (!node) continue;
    const value = boxValue(measure, model, shown, id, times);
    const open = visible.open[box] === 1;
    const holds = model.holds(id);
    values[box] = value;
    titles[box] = `${open ? "▾ " : holds ? "▸ " : ""}${titleOf(node)}`;
    lines[box] = lineOf(node, value, measure, times);
    badges[box] = badgeOf(model, id, times);
    change[box] = wishes.changes.get(id) ?? 0;
    const ends = node.kind === "input" || node.kind === "output";
    look[box] =
      (open ? Look.open : 0) |
      (times > 1 ? Look.repeated : 0) |
      (ends ? Look.terminal : 0) |
      (measure.id !== "none" && Number.isNaN(value) && !ends ? Look.hollow : 0) |
      (node.error !== null ? Look.failed : 0) |
      (holds ? Look.holds : 0);
    if (!open && !Number.isNaN(value)) closed.push(value);
    const blocks = open || times <= 1 ? null : blockValues(model, shown, id);
    if (blocks) {
      const most = Math.max(...blocks.map((one) => Math.abs(one ?? 0))) || 1;
      strips.set(
        box,
        blocks.map((one) => (one === null ? null : Math.abs(one) / most)),
      );
    }
  }
  const most = closed.reduce((so, value) => Math.max(so, Math.abs(value)), 0);
  const domain = domainOfValues(measure, [...closed, wishes.reaches]);
  const colours = colormap(measure.colours, wishes.dark);
  for (let box = 0; box < count && measure.id !== "none"; box++) {
    const value = values[box] as number;
    // Nothing of a sum is not measured as little: it is left plain, so that what there is stands out.
    if (Number.isNaN(value) || visible.open[box] || (value === 0 && measure.folded === "sum")) continue;
    const at = 3 * Math.round(255 * Math.min(1, Math.max(0, placeOn(measure, value, domain))));
    fill.set([colours[at] as number, colours[at + 1] as number, colours[at + 2] as number, 255], 4 * box);
  }
  return {
    picture: {
      visible,
      placed,
      titles,
      lines,
      badges,
      fill,
      look,
      change,
      labels: labelsOf(model, visible, wishes),
      strips,
    },
    domain,
    most,
    values,
  };
}

/** Words on arrows: the activation that acts there, what is fed back, and the shape that flows. */
function labelsOf(model: GraphModel, visible: Visible, wishes: Wishes): Map<number, string> {
  const labels = new Map<number, string>();
  for (let arrow = 0; arrow < visible.source.length; arrow++) {
    const edge = model.edges[visible.edge[arrow] as number];
    const source = visible.source[arrow] as number;
    // Just inside a frame flows what the arrow just outside says, and there is no room for words.
    const enters = visible.frame[visible.target[arrow] as number] === source;
    const words: string[] = [];
    if (visible.back[arrow]) {
      const group = model.groups[visible.group[source] as number];
      words.push(group ? `fed back × ${number(group.times)} steps` : "fed back");
    }
    const acts = (visible.label[arrow] as number) >= 0 ? model.node(visible.label[arrow] as number) : undefined;
    const from = model.node(visible.ids[source] as number);
    // Where the arrow leaves the activation itself, the box says it.
    if (acts) words.push(acts.activation ?? acts.operation);
    else if (edge?.activation && from?.role !== "activation" && !enters) words.push(edge.activation);
    const many = visible.weight[arrow] as number;
    if (wishes.shapes && edge && !visible.back[arrow] && !enters)
      words.push(compactShape(edge.shape) + (many > 1 ? `  +${many - 1}` : ""));
    if (words.length > 0) labels.set(arrow, words.join(" · "));
  }
  return labels;
}
