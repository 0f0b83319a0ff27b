/** Pictures made to excite a unit: what they reach, and what is asked for them. */
import { number, plural } from "../../marks/format";
import type { OptimisedPanel } from "../../record/schema.gen";

export const METHODS = { fourier: "Fourier", maco: "MACO" } as const;
export type Method = keyof typeof METHODS;
export const AIMS = { channel: "over the whole map", middle: "at its middle place" } as const;
export type Aim = keyof typeof AIMS;
export const STEPS = [32, 96, 192, 384] as const;
export const VARIANTS = [1, 2, 3, 4, 6] as const;

/** How a response stands against the strongest that any example of the data draws. */
export function reached(response: number | null, strongest: number | null, examples: number): string {
  if (response === null) return "its response is not finite";
  if (strongest === null) return `reaches ${number(response)}`;
  if (strongest > 0) {
    const times = response / strongest;
    return `reaches ${number(times, 2)} times the strongest of ${plural(examples, "example")}`;
  }
  if (response <= 0 && strongest === 0) return "no picture was found that excites it, and no example does";
  if (strongest === 0) return `reaches ${number(response)}; none of ${plural(examples, "example")} excites it`;
  return `reaches ${number(response)}; the strongest of ${plural(examples, "example")} is ${number(strongest)}`;
}

/** The strongest of several responses; null where none is finite. */
export function best(responses: readonly (number | null)[]): number | null {
  const finite = responses.filter((value): value is number => value !== null && Number.isFinite(value));
  return finite.length > 0 ? Math.max(...finite) : null;
}

/** Which stored pictures there are of a layer: a row a method. */
export function storedOf(panel: OptimisedPanel | null, layer: number) {
  return panel?.layers.filter((one) => one.index === layer) ?? [];
}

/** Whether what had no weight along the climb fades: as MACO shows its pictures, unless it is said. */
export function fades(said: string, method: string): boolean {
  return said === "" ? method === "maco" : said === "yes";
}

/** One picture of an answer, ready to be put on a canvas; null where it is not there. Without `opacity` nothing fades. */
export function imageOf(
  pixels: Int32Array,
  channel: number,
  variant: number,
  shape: { variants: number; height: number; width: number },
  opacity: Int32Array | null = null,
): ImageData | null {
  const size = shape.height * shape.width;
  const start = (channel * shape.variants + variant) * size * 3;
  if (start < 0 || start + size * 3 > pixels.length) return null;
  const data = new Uint8ClampedArray(size * 4);
  for (let at = 0; at < size; at++) {
    for (let colour = 0; colour < 3; colour++) data[4 * at + colour] = pixels[start + 3 * at + colour] ?? 0;
    data[4 * at + 3] = opacity?.[start / 3 + at] ?? 255;
  }
  return new ImageData(data, shape.width, shape.height);
}
