/** From here on the error function is 1 in float64. */
const ONE = 6;

/** The error function, to about 1e-15. */
export function erf(value: number): number {
  const size = Math.abs(value);
  if (size >= ONE) return Math.sign(value);
  return Math.sign(value) * (size < 2.5 ? series(size) : 1 - upperTail(size));
}

/** 1 - erf, without loss where it is small. */
export function erfc(value: number): number {
  if (value < 2.5) return 1 - erf(value);
  return upperTail(value);
}

/** The share of the standard normal distribution below a value. */
export function normalShare(value: number): number {
  return erfc(-value / Math.SQRT2) / 2;
}

/** Source: Abramowitz & Stegun 1964, 7.1.6; all terms are positive. */
function series(size: number): number {
  let term = size;
  let sum = size;
  for (let step = 1; term > sum * 1e-17; step++) {
    term *= (2 * size * size) / (2 * step + 1);
    sum += term;
  }
  return ((2 * Math.exp(-size * size)) / Math.sqrt(Math.PI)) * sum;
}

/** Source: Abramowitz & Stegun 1964, 7.1.14: a continued fraction, from its end. */
function upperTail(size: number): number {
  let fraction = size;
  for (let step = 60; step > 0; step--) fraction = size + step / 2 / fraction;
  return Math.exp(-size * size) / Math.sqrt(Math.PI) / fraction;
}
