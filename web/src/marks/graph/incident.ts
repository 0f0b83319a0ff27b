/** Which arrows meet which boxes. */
import type { Visible } from "../../layout/types";

/** The arrows at every box: those of box b are arrows[start[b]] up to start[b + 1]. */
export interface Incident {
  readonly start: Uint32Array;
  readonly arrows: Uint32Array;
}

export function incidentOf(visible: Visible): Incident {
  const start = new Uint32Array(visible.ids.length + 1);
  const each = (visit: (box: number, arrow: number) => void) => {
    for (let arrow = 0; arrow < visible.source.length; arrow++) {
      visit(visible.source[arrow] as number, arrow);
      visit(visible.target[arrow] as number, arrow);
    }
  };
  each((box) => {
    start[box + 1] = (start[box + 1] as number) + 1;
  });
  for (let box = 1; box < start.length; box++) start[box] = (start[box] as number) + (start[box - 1] as number);
  const next = start.slice();
  const arrows = new Uint32Array(2 * visible.source.length);
  each((box, arrow) => {
    arrows[next[box] as number] = arrow;
    next[box] = (next[box] as number) + 1;
  });
  return { start, arrows };
}
