/** The hierarchy of a record's classes, as rows and columns open and close by it. */
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
