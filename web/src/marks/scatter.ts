/** Points on a plane: where they are on the screen, which of them lie in a loop, which is near. */

export interface View {
  /** Pixels from the plane's origin to the left upper corner's, and pixels for each unit; the second axis points up. */
  readonly x: number;
  readonly y: number;
  readonly scale: number;
}

export interface Spot {
  readonly x: number;
  readonly y: number;
}

/** The view that shows all points with one scale for both axes: distances on the plane are what is shown. */
export function whole(places: ArrayLike<number>, width: number, height: number, margin: number): View {
  let [left, right, low, high] = [Infinity, -Infinity, Infinity, -Infinity];
  for (let at = 0; at + 1 < places.length; at += 2) {
    const [x, y] = [places[at] as number, places[at + 1] as number];
    if (x < left) left = x;
    if (x > right) right = x;
    if (y < low) low = y;
    if (y > high) high = y;
  }
  if (left > right) return { x: width / 2, y: height / 2, scale: 1 };
  const [wide, tall] = [right - left, high - low];
  const fits = Math.min(
    wide > 0 ? (width - 2 * margin) / wide : Infinity,
    tall > 0 ? (height - 2 * margin) / tall : Infinity,
  );
  const scale = Number.isFinite(fits) && fits > 0 ? fits : 1;
  return { x: width / 2 - (scale * (left + right)) / 2, y: height / 2 + (scale * (low + high)) / 2, scale };
}

/** The view that is `by` times as near, with the same spot under the hand. */
export function nearer(view: View, { x, y }: Spot, by: number): View {
  return { x: x - (x - view.x) * by, y: y - (y - view.y) * by, scale: view.scale * by };
}

/** Places on the screen, two numbers a point. */
export function onScreen(places: ArrayLike<number>, { x, y, scale }: View): Float32Array {
  const found = new Float32Array(places.length);
  for (let at = 0; at + 1 < places.length; at += 2) {
    found[at] = x + (places[at] as number) * scale;
    found[at + 1] = y - (places[at + 1] as number) * scale;
  }
  return found;
}

/** The point nearest to a spot, at most `reach` pixels away; null where there is none. */
export function nearest(spots: Float32Array, { x, y }: Spot, reach: number): number | null {
  let best = reach * reach;
  let found: number | null = null;
  for (let at = 0; at + 1 < spots.length; at += 2) {
    const distance = ((spots[at] as number) - x) ** 2 + ((spots[at + 1] as number) - y) ** 2;
    if (distance <= best) [best, found] = [distance, at / 2];
  }
  return found;
}

/** Numbers of the points inside a loop that closes by itself, by the even-odd rule. */
export function inLoop(spots: Float32Array, loop: readonly Spot[]): number[] {
  const found: number[] = [];
  for (let at = 0; at + 1 < spots.length; at += 2) {
    const [x, y] = [spots[at] as number, spots[at + 1] as number];
    let inside = false;
    for (let to = 0, from = loop.length - 1; to < loop.length; from = to++) {
      const [a, b] = [loop[from] as Spot, loop[to] as Spot];
      if (a.y > y !== b.y > y && x < a.x + ((b.x - a.x) * (y - a.y)) / (b.y - a.y)) inside = !inside;
    }
    if (inside) found.push(at / 2);
  }
  return found;
}
