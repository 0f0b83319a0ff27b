/** How a graph is folded: kept as long as the record is open, so that a look at another page does not lose it. */
import { boxesSeen, type Folding, type FoldState, foldingOf, onceOf, openedOf } from "../../layout/fold";
import { GraphModel } from "../../layout/model";
import type { GraphPanel } from "../../record/schema.gen";

/** At first so many boxes at most, opened level by level. */
const MOST_AT_FIRST = 72;
const DEEPEST = 8;

export class GraphView {
  readonly graph: GraphPanel;
  readonly model: GraphModel;
  #open = $state.raw<ReadonlySet<number>>(new Set());
  /** The same by place in the model: one more of very many is told without a look at all. */
  #opened = $state.raw(new Uint8Array(0));
  spread = $state.raw<ReadonlySet<number>>(new Set());
  /** The node that stays where it is on screen at the next change. */
  keep: number | null = null;

  constructor(graph: GraphPanel, shown: readonly number[] = []) {
    this.graph = graph;
    this.model = new GraphModel(graph);
    this.open = firstLook(this.model);
    for (const id of shown) this.reveal(id);
    this.keep = null;
  }

  get open(): ReadonlySet<number> {
    return this.#open;
  }

  set open(open: ReadonlySet<number>) {
    this.#open = open;
    this.#opened = openedOf(this.model, open);
  }

  folding(activationsOnArrows: boolean): Folding {
    return { opened: this.#opened, once: onceOf(this.model, this.spread), activationsOnArrows };
  }

  toggle(id: number): void {
    if (!this.model.holds(id)) return;
    const open = new Set(this.#open);
    if (!open.delete(id)) open.add(id);
    this.keep = id;
    this.#open = open;
    this.#opened = this.#opened.slice();
    this.#opened[this.model.place(id)] = Number(open.has(id));
  }

  /** Equal blocks one by one, or drawn once. */
  turnRun(first: number): void {
    const spread = new Set(this.spread);
    if (!spread.delete(first)) spread.add(first);
    this.keep = first;
    this.spread = spread;
  }

  reveal(id: number): void {
    const state = this.model.reveal(id, { open: this.open, spread: this.spread });
    // What is there already changes nothing: a new set would lay everything out again.
    if (state.open.size === this.open.size && state.spread.size === this.spread.size) return;
    this.keep = null;
    this.open = state.open;
    this.spread = state.spread;
  }

  openAll(): void {
    this.keep = null;
    this.open = new Set(this.model.nodes.filter((node) => this.model.holds(node.id)).map((node) => node.id));
  }

  closeAll(): void {
    this.keep = null;
    // The model itself stays open: as one box it would say nothing.
    const top = this.model.childrenOf(null).filter((id) => this.model.holds(id));
    this.open = new Set(top.length === 1 ? top : []);
    this.spread = new Set();
  }

  state(): Pick<FoldState, "open" | "spread"> {
    return { open: this.open, spread: this.spread };
  }
}

/** As many levels as make a picture that can be taken in. */
export function firstLook(model: GraphModel): ReadonlySet<number> {
  let best = model.openToDepth(1);
  let top: ReadonlySet<number> = new Set();
  for (let depth = 0; depth <= DEEPEST; depth++) {
    const open = model.openToDepth(depth);
    const boxes = boxesSeen(model, foldingOf(model, { open, spread: new Set() }));
    if (depth > 0 && boxes > MOST_AT_FIRST) break;
    if (depth > 0 && open.size === top.size && depth > 1) break;
    best = open;
    top = open;
  }
  return best;
}

const views = new WeakMap<GraphPanel, GraphView>();

export function viewOf(graph: GraphPanel): GraphView {
  let view = views.get(graph);
  if (!view) {
    view = new GraphView(graph);
    views.set(graph, view);
  }
  return view;
}
