/** P values as people read them: what is too small for a number is said so. */
import { number } from "../../marks/format";

export function chance(value: number, name = "p"): string {
  return value < 1e-300 ? `${name} < 1e−300` : `${name} = ${number(value, 2)}`;
}
