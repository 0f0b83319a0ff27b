/** What an arrow carries, in sentences: from which output to which argument, its shape and type, what acts on it. */
import type { GraphModel } from "../../layout/model";
import type { Visible } from "../../layout/types";
import { plain, plural, shape } from "../../marks/format";
import { titleOf } from "./compose";

/** The tensor that an arrow stands for; null where the graph does not hold its edge. */
export interface Carried {
  /** Ids of the calls at its ends. */
  readonly source: number;
  readonly target: number;
  readonly from: string;
  readonly to: string;
  /** Shape and type. */
  readonly what: string;
  /** What else there is to say of it. */
  readonly notes: readonly string[];
}

export function carriedBy(model: GraphModel, visible: Visible, arrow: number): Carried | null {
  const edge = model.edges[visible.edge[arrow] as number];
  const [from, to] = [model.node(edge?.source ?? -1), model.node(edge?.target ?? -1)];
  if (!edge || !from || !to) return null;
  const name = (node: typeof from) => plain(node.path || titleOf(node));
  const type = from.output_dtypes[edge.output];
  const notes: string[] = [];
  const acts = (visible.label[arrow] as number) >= 0 ? model.node(visible.label[arrow] as number) : undefined;
  const activation = edge.activation ?? acts?.activation ?? acts?.operation;
  if (activation) notes.push(`${plain(activation)} acts on it`);
  if (visible.back[arrow] || edge.feeds_back) notes.push("fed back into the next step");
  const more = (visible.weight[arrow] as number) - 1;
  if (more > 0) notes.push(`and ${plural(more, "more tensor")} this way`);
  return {
    source: from.id,
    target: to.id,
    from: `output ${edge.output} of ${name(from)}`,
    to: `argument ${edge.argument} of ${name(to)}`,
    what: `${shape(edge.shape)}${type ? ` ${plain(type)}` : ""}`,
    notes,
  };
}

/** What hovers over an arrow: its shape first. */
export function tensorLines(carried: Carried): string[] {
  return [
    carried.what,
    `from ${carried.from}`,
    `to ${carried.to}`,
    ...carried.notes,
    "click takes its two ends in hand",
  ];
}
