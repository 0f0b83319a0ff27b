/** The hierarchy of a record's classes, as rows and columns open and close by it. */
import type { ConfusionCounts } from "../../measures/confusion";
import type { HierarchyPanel } from "../../record/schema.gen";

export interface Tree {
  readonly names: readonly string[];
  readonly children: readonly (readonly number[])[];
  readonly roots: readonly number[];
  /** 0 for a root. */
  readonly depths: Int32Array;
  /** Largest depth of any concept. */
  readonly deepest: number;
  /** The class a node stands for, or -1. */
  readonly classes: Int32Array;
}

export function treeOf(panel: HierarchyPanel): Tree {
  const children: number[][] = panel.names.map(() => []);
  const roots: number[] = [];
  const depths = new Int32Array(panel.names.length);
  let deepest = 0;
  panel.parents.forEach((parent, node) => {
    const above = parent >= 0 && parent < node ? children[parent] : undefined;
    if (above) {
      above.push(node);
      depths[node] = (depths[parent] as number) + 1;
    } else roots.push(node);
  });
  children.forEach((below, node) => {
    if (below.length > 0) deepest = Math.max(deepest, depths[node] as number);
  });
  return { names: panel.names, children, roots, depths, deepest, classes: Int32Array.from(panel.classes) };
}

/** Nodes at and below one, in order. */
function below(tree: Tree, node: number, found: number[]): number[] {
  const waiting = [node];
  while (waiting.length > 0) {
    const next = waiting.pop() as number;
    found.push(next);
    const children = tree.children[next] ?? [];
    for (let place = children.length - 1; place >= 0; place--) waiting.push(children[place] as number);
  }
  return found;
}

/** Classes at and below a node, in the order of the tree. */
export function kindsOf(tree: Tree, node: number): Int32Array {
  return Int32Array.from(below(tree, node, []).map((one) => tree.classes[one] as number)).filter((index) => index >= 0);
}

/** Every class in the order of the tree. */
export function treeOrder(tree: Tree): Int32Array {
  return Int32Array.from(tree.roots.flatMap((root) => [...kindsOf(tree, root)]));
}

/**
 * The nodes that stand as rows: those at `depth`, and classes above it. `turned` are nodes that were opened or closed by hand,
 * against what the depth says of them.
 */
export function frontier(tree: Tree, depth: number, turned: ReadonlySet<number>): number[] {
  const found: number[] = [];
  const waiting = [...tree.roots].reverse();
  while (waiting.length > 0) {
    const node = waiting.pop() as number;
    const children = tree.children[node] ?? [];
    const opened = (tree.depths[node] as number) < depth !== turned.has(node);
    if (children.length === 0 || !opened) found.push(node);
    else for (let place = children.length - 1; place >= 0; place--) waiting.push(children[place] as number);
  }
  return found;
}

export interface Gravity {
  readonly mistakes: number;
  /** Mean height of the lowest concept that includes both classes of a mistake; null without mistakes. */
  readonly mean: number | null;
  /** What it would be if each mistake named any other class as likely. */
  readonly chance: number | null;
  /** What the gravest mistakes weigh: classes that no concept includes both. */
  readonly highest: number;
}

/** How grave the mistakes are; the twin of pellucid.measures.hierarchy. Source: Deng, Berg, Li & Fei-Fei 2010, ECCV, section 5. */
export function gravityOf(tree: Tree, cells: ConfusionCounts): Gravity {
  const number = tree.names.length;
  const parents = new Int32Array(number).fill(-1);
  tree.children.forEach((children, node) => {
    for (const child of children) parents[child] = node;
  });
  const heights = new Int32Array(number);
  const below = new Float64Array(number);
  const nodeOf = new Map<number, number>();
  for (let node = number - 1; node >= 0; node--) {
    const index = tree.classes[node] as number;
    if (index >= 0) nodeOf.set(index, node);
    if (index >= 0) below[node] = (below[node] as number) + 1;
    const parent = parents[node] as number;
    if (parent < 0) continue;
    heights[parent] = Math.max(heights[parent] as number, (heights[node] as number) + 1);
    below[parent] = (below[parent] as number) + (below[node] as number);
  }
  const highest = heights.reduce((most, height) => Math.max(most, height), 0) + 1;
  const others = nodeOf.size - 1;
  const chances = new Map<number, number>();
  /** Mean over all other classes: those that join at each concept on the way up weigh its height. */
  const chanceOf = (index: number) => {
    let [sum, counted] = [0, 1];
    for (let node = nodeOf.get(index) ?? -1; node >= 0; node = parents[node] as number) {
      sum += (heights[node] as number) * ((below[node] as number) - counted);
      counted = below[node] as number;
    }
    return (sum + highest * (nodeOf.size - counted)) / Math.max(1, others);
  };
  let [mistakes, weight, expected] = [0, 0, 0];
  for (let cell = 0; cell < cells.counts.length; cell++) {
    const [row, column, count] = [cells.rows[cell], cells.columns[cell], cells.counts[cell]] as [
      number,
      number,
      number,
    ];
    if (row === column || !nodeOf.has(row) || !nodeOf.has(column)) continue;
    const above = new Set<number>();
    for (let node = nodeOf.get(row) ?? -1; node >= 0; node = parents[node] as number) above.add(node);
    let meeting = nodeOf.get(column) ?? -1;
    while (meeting >= 0 && !above.has(meeting)) meeting = parents[meeting] as number;
    mistakes += count;
    weight += count * (meeting >= 0 ? (heights[meeting] as number) : highest);
    if (!chances.has(row)) chances.set(row, chanceOf(row));
    expected += count * (chances.get(row) as number);
  }
  return {
    mistakes,
    mean: mistakes > 0 ? weight / mistakes : null,
    chance: mistakes > 0 && others > 0 ? expected / mistakes : null,
    highest,
  };
}
