/** Activations as words on arrows: a box between one source and one target vanishes, and the arrow bears its name. */
import type { Visible } from "./types";

/** `kept` is each box's new index, -1 for those that vanished. */
export function labelled(
  visible: Visible,
  isActivation: (box: number) => boolean,
): { visible: Visible; kept: Int32Array } {
  const count = visible.ids.length;
  const arrows = visible.source.length;
  // Arrows into and out of each box beside those of its own inside; which, as long as there is but one.
  const into = new Int32Array(count).fill(-1);
  const outOf = new Int32Array(count).fill(-1);
  const many = new Uint8Array(count);
  for (let arrow = 0; arrow < arrows; arrow++) {
    const source = visible.source[arrow] as number;
    const target = visible.target[arrow] as number;
    if (visible.back[arrow]) many[source] = many[target] = 1;
    if ((outOf[source] as number) >= 0) many[source] = 1;
    if ((into[target] as number) >= 0) many[target] = 1;
    outOf[source] = arrow;
    into[target] = arrow;
  }
  const source = visible.source.slice();
  const sourcePort = visible.sourcePort.slice();
  const label = visible.label.slice();
  const weight = visible.weight.slice();
  const gone = new Uint8Array(count);
  const dropped = new Uint8Array(arrows);
  for (let box = 0; box < count; box++) {
    const before = into[box] as number;
    const after = outOf[box] as number;
    if (many[box] || before < 0 || after < 0 || visible.open[box] || (visible.times[box] as number) > 1) continue;
    // The arrow may bear one name: of two activations in a row the second stays a box.
    if (!isActivation(box) || (label[before] as number) >= 0) continue;
    // All that an open module holds stays, or there would be nothing to see in it.
    if (source[before] === visible.target[after]) continue;
    gone[box] = 1;
    dropped[before] = 1;
    source[after] = source[before] as number;
    sourcePort[after] = sourcePort[before] as number;
    weight[after] = Math.max(weight[before] as number, weight[after] as number);
    label[after] = visible.ids[box] as number;
  }
  const kept = new Int32Array(count).fill(-1);
  let boxes = 0;
  for (let box = 0; box < count; box++) if (!gone[box]) kept[box] = boxes++;
  const renamed = (column: Int32Array) => column.map((box) => (box < 0 ? -1 : (kept[box] as number)));
  const boxStays = (_: number, box: number) => !gone[box];
  const arrowStays = (_: number, arrow: number) => !dropped[arrow];
  return {
    kept,
    visible: {
      ids: visible.ids.filter(boxStays),
      frame: renamed(visible.frame.filter(boxStays)),
      open: visible.open.filter(boxStays),
      times: visible.times.filter(boxStays),
      group: visible.group.filter(boxStays),
      width: visible.width.filter(boxStays),
      height: visible.height.filter(boxStays),
      source: renamed(source.filter(arrowStays)),
      target: renamed(visible.target.filter(arrowStays)),
      edge: visible.edge.filter(arrowStays),
      weight: weight.filter(arrowStays),
      sourcePort: sourcePort.filter(arrowStays),
      targetPort: visible.targetPort.filter(arrowStays),
      back: visible.back.filter(arrowStays),
      label: label.filter(arrowStays),
    },
  };
}
