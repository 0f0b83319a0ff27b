/** What drawing a graph takes of it, in columns: all that a worker is told of a model, once. */
import type { GraphModel } from "../../layout/model";
import type { Columns } from "../../layout/types";
import type { GraphNode } from "../../record/schema.gen";
import { actingName, compactShape, standingLine, titleOf } from "./compose";

export interface DrawingColumns extends Columns {
  /** By place, letters of a call's name, of the line below it without the measure, and of its name as an activation. */
  readonly title: Uint16Array;
  readonly line: Uint16Array;
  readonly acting: Uint16Array;
  /** By place, `Mark` bits. */
  readonly marks: Uint8Array;
  /** By edge, letters of its shape and of the activation that acts on it; 0 where none does. */
  readonly shape: Uint16Array;
  readonly acts: Uint16Array;
}

export const Mark = { terminal: 1, failed: 2 } as const;

const known = new WeakMap<GraphModel, DrawingColumns>();

/** Costs one pass over the calls and one over the edges, once for each model. */
export function columnsOf(model: GraphModel): DrawingColumns {
  let columns = known.get(model);
  if (!columns) {
    columns = made(model);
    known.set(model, columns);
  }
  return columns;
}

function made(model: GraphModel): DrawingColumns {
  const { ids, parent, end, group, member, counterpart, activation, times, loop } = model;
  const { source, target, leaving, entering, output } = model;
  const count = ids.length;
  const title = new Uint16Array(count);
  const line = new Uint16Array(count);
  const acting = new Uint16Array(count);
  const marks = new Uint8Array(count);
  for (let place = 0; place < count; place++) {
    const node = model.at(place);
    title[place] = letters(titleOf(node));
    line[place] = letters(standingLine(node));
    if (activation[place]) acting[place] = letters(actingName(node));
    marks[place] = marksOf(node);
  }
  const edges = model.edges;
  return {
    ids,
    parent,
    end,
    group,
    member,
    counterpart,
    activation,
    times,
    loop,
    source,
    target,
    leaving,
    entering,
    output,
    title,
    line,
    acting,
    marks,
    shape: Uint16Array.from(edges, (edge) => compactShape(edge.shape).length),
    acts: Uint16Array.from(edges, (edge) => letters(edge.activation ?? "")),
  };
}

function marksOf(node: GraphNode): number {
  const ends = node.kind === "input" || node.kind === "output";
  return (ends ? Mark.terminal : 0) | (node.error !== null ? Mark.failed : 0);
}

/** A sign outside the first plane is one letter in two halves. */
export function letters(text: string): number {
  let count = text.length;
  for (let at = 0; at < text.length; at++) if ((text.charCodeAt(at) & 0xfc00) === 0xdc00) count--;
  return count;
}
