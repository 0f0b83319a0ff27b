/** What a call of the model says of itself, in names, values and sentences. */
import { bytes, count, duration, number, percent, plural, quantity } from "../../marks/format";
import type { GraphDifferencePanel, GraphEdge, GraphNode, GraphPanel, Pool } from "../../record/schema.gen";
import type { Selection } from "../../selection/selection";

/** Which call is in hand: one of the record's own graph, or of the graph that it is compared with. */
export interface InHand {
  readonly graph: GraphPanel;
  readonly node: GraphNode;
  readonly old: boolean;
}

/** The setting v.node: an id, with "old" before it where it is of the graph compared with. */
export function inHand(
  selection: Selection,
  graph: GraphPanel | null,
  difference: GraphDifferencePanel | null,
): InHand | null {
  const parts = /^(old)?(\d{1,9})$/.exec(selection.view.node ?? "");
  const find = (panel: GraphPanel | null | undefined, id: number | null | undefined, old: boolean): InHand | null => {
    const node = id === null || id === undefined ? undefined : panel?.nodes.find((one) => one.id === id);
    return panel && node ? { graph: panel, node, old } : null;
  };
  if (parts) return find(parts[1] ? difference?.old : graph, Number(parts[2]), parts[1] !== undefined);
  if (selection.layer === null) return null;
  return find(graph, graph?.layers.find((layer) => layer.name === selection.layer)?.node, false);
}

/** What to change in the selection to take a call in hand: its layer where it is a captured one, else the call itself. */
export function taking(selection: Selection, graph: GraphPanel, id: number | null, old = false): Partial<Selection> {
  const { node: _, ...view } = selection.view;
  const index = id === null || old ? null : (graph.nodes.find((node) => node.id === id)?.layer ?? null);
  const layer = index === null ? undefined : graph.layers.find((one) => one.index === index);
  if (layer) return { layer: layer.name, unit: layer.name === selection.layer ? selection.unit : null, view };
  return { layer: null, unit: null, view: id === null ? view : { ...view, node: `${old ? "old" : ""}${id}` } };
}

/** 64 × 7 × 7; sizes that are not known are question marks. */
export function shapeText(extents: readonly number[]): string {
  return extents.length === 0 ? "scalar" : extents.map((extent) => (extent < 0 ? "?" : String(extent))).join(" × ");
}

function tensors(shapes: readonly (readonly number[])[], types: readonly string[]): string {
  const each = shapes.map((one, index) => `${shapeText(one)}${types[index] ? ` ${types[index]}` : ""}`);
  return each.length > 6 ? `${each.slice(0, 6).join(", ")} and ${each.length - 6} more` : each.join(", ");
}

/** `seconds` is the measured time of the call, null where it was not measured. */
export function nodeFacts(node: GraphNode, seconds: number | null): [string, string][] {
  const facts: [string, string][] = [["operation", node.operation]];
  const put = (name: string, value: string | null | undefined) => {
    if (value) facts.push([name, value]);
  };
  put("path", node.path);
  if (node.call > 1) put("call", `number ${node.call} of this path`);
  put("called at", node.source);
  put("reads", tensors(node.inputs, node.input_dtypes));
  put("gives", tensors(node.outputs, node.output_dtypes));
  if (node.kind === "module" || node.kind === "function") {
    if (node.parameters > 0) {
      const fixed = node.parameters - node.trainable;
      put("parameters", `${count(node.parameters)}${fixed > 0 ? `, ${count(fixed)} of them not trainable` : ""}`);
    }
    if (node.flops !== null) put("FLOPs", quantity(node.flops));
    if (node.memory > 0) put("output memory", bytes(node.memory));
    put(
      "measured time",
      seconds === null ? "not measured" : seconds < 1 ? `${number(1000 * seconds)} ms` : duration(seconds),
    );
    if (node.operators > 1) put("operators", count(node.operators));
  }
  put("activation", node.activation);
  for (const [name, value] of Object.entries(node.arguments)) put(name, value);
  return facts;
}

/** What a pooling layer keeps and what it drops. */
export function poolSentence(pool: Pool): string {
  const size = (values: readonly number[]) => values.join(" × ");
  const everywhere = pool.window.every((extent, axis) => extent === pool.stride[axis]);
  const step = everywhere
    ? "side by side"
    : `every ${size([...new Set(pool.stride)])} ${pool.stride.every((one) => one === 1) ? "position" : "positions"}`;
  const becomes = { max: "its maximum", average: "its mean", lp: "its norm" }[pool.kind];
  const kept =
    pool.kind === "max"
      ? `at most ${percent(pool.kept)} of the values survive`
      : `${percent(pool.kept)} as many values come out as go in`;
  const seen =
    pool.seen >= 1
      ? "every position is seen by a window"
      : `${percent(pool.seen)} of the positions are seen by a window, the rest are dropped`;
  return `Each ${size(pool.window)} window, ${step}, becomes ${becomes}: ${kept}; ${seen}.`;
}

/** What else there is to say of a call, in sentences. */
export function nodeSentences(node: GraphNode, graph: GraphPanel): string[] {
  const sentences: string[] = [];
  if (node.pool) sentences.push(poolSentence(node.pool));
  if (node.steps !== null)
    sentences.push(`Runs ${plural(node.steps, "step")}; each step's output is fed back into the next.`);
  const loop = graph.loops.find((one) => one.calls.some((calls) => calls.includes(node.id)));
  if (loop) {
    const step = loop.calls.findIndex((calls) => calls.includes(node.id)) + 1;
    sentences.push(
      `Step ${count(step)} of a loop that runs ${plural(loop.calls.length, "time")} with the same parameters; ${loop.feeds_back ? "each step's output is fed back into the next" : "no step reads what the one before it made"}.`,
    );
  }
  const run = graph.repeats.find((ids) => ids.includes(node.id));
  if (run && !loop)
    sentences.push(`Block ${count(run.indexOf(node.id) + 1)} of ${count(run.length)} of equal structure.`);
  return sentences;
}

export interface Neighbour {
  readonly node: GraphNode;
  readonly shape: readonly number[];
  readonly activation: string | null;
  readonly back: boolean;
}

/** What a call reads and what reads it; of a module, what crosses its border. */
export function neighbours(graph: GraphPanel, node: GraphNode): { reads: Neighbour[]; readBy: Neighbour[] } {
  const inside = insideOf(graph, node.id);
  const byId = new Map<number, GraphNode>();
  const wanted: { edge: GraphEdge; other: number; into: boolean }[] = [];
  for (const edge of graph.edges) {
    const [from, to] = [inside.has(edge.source), inside.has(edge.target)];
    if (from === to && !(from && edge.feeds_back && edge.source === edge.target)) continue;
    wanted.push({ edge, other: to ? edge.source : edge.target, into: to });
  }
  const needed = new Set(wanted.map((one) => one.other));
  for (const one of graph.nodes) if (needed.has(one.id)) byId.set(one.id, one);
  const reads: Neighbour[] = [];
  const readBy: Neighbour[] = [];
  const seen = new Set<string>();
  for (const { edge, other, into } of wanted) {
    const found = byId.get(other);
    const key = `${into} ${other} ${edge.shape.join()}`;
    if (!found || seen.has(key)) continue;
    seen.add(key);
    (into ? reads : readBy).push({
      node: found,
      shape: edge.shape,
      activation: edge.activation,
      back: edge.feeds_back,
    });
  }
  return { reads, readBy };
}

/** Ids of a call and of all that it holds. Holders come before what they hold. */
function insideOf(graph: GraphPanel, id: number): Set<number> {
  const inside = new Set([id]);
  for (const node of graph.nodes) if (node.parent !== null && inside.has(node.parent)) inside.add(node.id);
  return inside;
}
