/** P values as people read them: what is too small for a number is said so. */
import { number } from "./format";

const LEAST = 1e-300;

/** Of a column of p values: "0.031", "< 1e−300". */
export function pValue(value: number): string {
  return value < LEAST ? "< 1e−300" : number(value, 2);
}

/** "p = 0.031", "p < 1e−300". */
export function chance(value: number, name = "p"): string {
  return value < LEAST ? `${name} ${pValue(value)}` : `${name} = ${pValue(value)}`;
}
