/** The theme's colours as numbers: canvases cannot read custom properties by themselves. */

export type Rgb = readonly [number, number, number];

export interface Palette {
  readonly dark: boolean;
  readonly paper: Rgb;
  readonly ground: Rgb;
  readonly raised: Rgb;
  readonly ink: Rgb;
  readonly quiet: Rgb;
  readonly line: Rgb;
  readonly lineStrong: Rgb;
  readonly accent: Rgb;
  readonly accentSoft: Rgb;
  readonly high: Rgb;
  readonly medium: Rgb;
  readonly bar: Rgb;
  readonly sans: string;
}

export function paletteOf(element: Element, dark: boolean): Palette {
  const style = getComputedStyle(element);
  const read = (name: string) => parseColour(style.getPropertyValue(name));
  return {
    dark,
    paper: read("--paper"),
    ground: read("--ground"),
    raised: read("--raised"),
    ink: read("--ink"),
    quiet: read("--quiet"),
    line: read("--line"),
    lineStrong: read("--line-strong"),
    accent: read("--accent"),
    accentSoft: read("--accent-soft"),
    high: read("--high"),
    medium: read("--medium"),
    bar: read("--bar"),
    sans: style.getPropertyValue("--sans").trim() || "sans-serif",
  };
}

/** #rgb and #rrggbb; black for anything else, which theme.css does not hold. */
export function parseColour(text: string): Rgb {
  const hex = text.trim().replace(/^#/, "");
  const full = hex.length === 3 ? [...hex].map((digit) => digit + digit).join("") : hex;
  const value = /^[0-9a-f]{6}$/i.test(full) ? Number.parseInt(full, 16) : 0;
  return [value >> 16, (value >> 8) & 255, value & 255];
}

export function css([red, green, blue]: Rgb, opacity = 1): string {
  return opacity >= 1 ? `rgb(${red},${green},${blue})` : `rgba(${red},${green},${blue},${opacity})`;
}

export function mixed(one: Rgb, other: Rgb, share: number): Rgb {
  const mix = (a: number, b: number) => Math.round(a + (b - a) * share);
  return [mix(one[0], other[0]), mix(one[1], other[1]), mix(one[2], other[2])];
}

/** Added, removed, changed, moved, in the order of `Change`: Okabe and Ito's, told apart by pattern as well. */
export const CHANGE_COLOURS: readonly Rgb[] = [
  [0, 0, 0],
  [0, 158, 115],
  [213, 94, 0],
  [230, 159, 0],
  [86, 180, 233],
];

/** The colour of a box's border, unless it is in hand: what failed first, then what a comparison says of it. */
export function borderColour(palette: Palette, failed: boolean, change: number, open: boolean): Rgb {
  if (failed) return palette.high;
  if (change > 0) return CHANGE_COLOURS[change] ?? palette.ink;
  return open ? palette.line : palette.lineStrong;
}
