/** What a spectral density is drawn with. */
import type { Sharpness } from "../../../record/schema.gen";

export const NAMES: Readonly<Record<Sharpness["matrix"], string>> = {
  hessian: "Hessian",
  ggn: "Generalised Gauss-Newton matrix",
};

/**
 * From what the bell of a single eigenvalue reaches two widths from its middle, to the highest value: below, a logarithmic axis would
 * show the tails of bells, which say nothing. Null where there is no density.
 */
export function densityDomain(
  one: Pick<Sharpness, "density" | "density_errors" | "width" | "parameters">,
): [number, number] | null {
  const highest = Math.max(0, ...one.density.map((value, index) => value + 2 * (one.density_errors[index] ?? 0)));
  if (!(highest > 0) || !(one.width > 0)) return null;
  const single = Math.exp(-2) / (one.width * Math.sqrt(2 * Math.PI) * one.parameters);
  return [Math.min(single, highest / 10), highest];
}

/** Powers of ten inside, at most six of them. */
export function powersIn([low, high]: readonly [number, number]): number[] {
  const [first, last] = [Math.ceil(Math.log10(low)), Math.floor(Math.log10(high))];
  const stride = Math.max(1, Math.ceil((last - first + 1) / 6));
  const found: number[] = [];
  for (let power = first; power <= last; power += stride) found.push(10 ** power);
  return found;
}
