/** What is written on the boxes and arrows of a graph, and how many letters that is: widths are known without the words. */
import type { GraphModel } from "../../layout/model";
import type { Visible } from "../../layout/types";
import { count, number } from "../../marks/format";
import { JOIN, type Words } from "../../marks/graph/picture";
import type { GraphEdge, GraphNode } from "../../record/schema.gen";
import { blockValues, boxValue, type Measure } from "./measures";

export function titleOf(node: GraphNode): string {
  if (node.name !== "") return node.name;
  return node.kind === "module" && node.path === "" ? "the model" : node.path || node.operation;
}

/** 64×7×7; sizes that are not known are question marks. */
export function compactShape(extents: readonly number[]): string {
  return extents.length === 0 ? "scalar" : extents.map((extent) => (extent < 0 ? "?" : String(extent))).join("×");
}

/** What a box says under its name whatever the measure: its operation where the name does not, and how long it runs. */
export function standingLine(node: GraphNode): string {
  const parts: string[] = [];
  if (node.operation && node.operation.toLowerCase() !== titleOf(node).toLowerCase().replace(/\(\)$/, ""))
    parts.push(node.operation);
  if (node.steps !== null) parts.push(`${number(node.steps)} steps`);
  if (node.pool) parts.push(poolInShort(node));
  return parts.join(JOIN);
}

/** The measure in words; nothing where it is not worth any. */
export function measured(measure: Measure, value: number, times: number): string {
  // Nothing of a sum is not worth a word: most calls have no parameters.
  const said = !Number.isNaN(value) && measure.id !== "none" && (value !== 0 || measure.folded === "most");
  return said ? measure.text(value) + (times > 1 ? " in all" : "") : "";
}

export function lineOf(node: GraphNode, value: number, measure: Measure, times: number): string {
  return [standingLine(node), measured(measure, value, times)].filter(Boolean).join(JOIN);
}

function poolInShort({ pool }: GraphNode): string {
  if (!pool) return "";
  const size = pool.window.join("×");
  return `${size}${pool.stride.some((step, axis) => step !== pool.window[axis]) ? `/${pool.stride.join("×")}` : ""}`;
}

export function badgeOf(model: GraphModel, id: number, times: number): string {
  return badgeText(times, model.groupOf(id)?.kind === "loop");
}

export function badgeText(times: number, loop: boolean): string {
  if (times <= 1) return "";
  return `× ${number(times)}${loop ? " steps" : ""}`;
}

/** What is fed back, on an arrow. */
export function returned(times: number | undefined): string {
  return times === undefined ? "fed back" : `fed back × ${number(times)} steps`;
}

/** The shape that flows, and how many more tensors. */
export function flowing(edge: GraphEdge, many: number): string {
  return compactShape(edge.shape) + more(many);
}

export function more(many: number): string {
  return many > 1 ? `  +${count(many - 1)}` : "";
}

/** What words are made from, as it was when the picture was asked for. */
export interface Telling {
  readonly model: GraphModel;
  readonly measure: Measure;
  /** By place in the model. */
  readonly shown: Float64Array;
  readonly shapes: boolean;
}

/** The words of a picture, each made when it is asked for. */
export function wordsOn({ model, measure, shown, shapes }: Telling, visible: Visible): Words {
  const idOf = (box: number) => visible.ids[box] as number;
  const timesOf = (box: number) => visible.times[box] as number;
  const value = (box: number) => boxValue(measure, model, shown, idOf(box), timesOf(box));
  return {
    title(box) {
      const node = model.node(idOf(box));
      if (!node) return "";
      return `${visible.open[box] ? "▾ " : model.holds(node.id) ? "▸ " : ""}${titleOf(node)}`;
    },
    line(box) {
      const node = model.node(idOf(box));
      return node ? lineOf(node, value(box), measure, timesOf(box)) : "";
    },
    brief: (box) => measured(measure, value(box), timesOf(box)),
    badge: (box) => badgeOf(model, idOf(box), timesOf(box)),
    strip(box) {
      const blocks = blockValues(model, shown, idOf(box)) ?? [];
      const most = Math.max(...blocks.map((one) => Math.abs(one ?? 0))) || 1;
      return blocks.map((one) => (one === null ? null : Math.abs(one) / most));
    },
    label: (arrow) => arrowWords(model, visible, arrow, shapes),
  };
}

/** Words on an arrow: what is fed back, the activation that acts there, and the shape that flows. */
export function arrowWords(model: GraphModel, visible: Visible, arrow: number, shapes: boolean): string {
  const edge = model.edges[visible.edge[arrow] as number];
  const source = visible.source[arrow] as number;
  const passes = passesBorder(visible, arrow);
  const words: string[] = [];
  if (visible.back[arrow]) words.push(returned(model.groups[visible.group[source] as number]?.times));
  const acts = (visible.label[arrow] as number) >= 0 ? model.node(visible.label[arrow] as number) : undefined;
  // Where the arrow leaves the activation itself, the box says it.
  if (acts) words.push(actingName(acts));
  else if (edge?.activation && model.node(visible.ids[source] as number)?.role !== "activation" && !passes)
    words.push(edge.activation);
  if (shapes && edge && !visible.back[arrow] && !passes) words.push(flowing(edge, visible.weight[arrow] as number));
  return words.join(JOIN);
}

/** Just inside a frame flows what the arrow just outside says, and there is no room for words. */
export function passesBorder({ source, target, frame }: Visible, arrow: number): boolean {
  const [from, to] = [source[arrow] as number, target[arrow] as number];
  return frame[to] === from || frame[from] === to;
}

export function actingName(node: GraphNode): string {
  return node.activation ?? node.operation;
}
