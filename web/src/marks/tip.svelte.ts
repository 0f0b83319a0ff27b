/** The one explanation that hovers: what a mark says when pointed at. Text only; the first line is its title. */

import { plain } from "./format";

class Tip {
  lines = $state.raw<readonly string[]>([]);
  x = $state(0);
  y = $state(0);

  show(at: { clientX: number; clientY: number }, lines: readonly string[]): void {
    this.lines = lines.map(plain);
    this.x = at.clientX;
    this.y = at.clientY;
  }

  hide(): void {
    this.lines = [];
  }
}

export const tip = new Tip();
