/** Student's t distribution: the quantile that intervals of means need, to the last digits of scipy's. */

const NEAR = 1e-15;
const MOST_STEPS = 300;

const Z95 = 1.959963984540054;
/** From so many degrees of freedom on, five terms around the normal quantile are right to 13 digits. */
const MANY = 500;
const known = new Float64Array(MANY);

/**
 * The t of a two-sided 95% interval: what `studentQuantile(0.975, freedom)` is, but worked out once for each small whole number of degrees of
 * freedom, since a page asks for thousands of classes. Source: Abramowitz & Stegun 1964, 26.7.5.
 */
export function studentQuantile95(freedom: number): number {
  if (freedom >= MANY) return aroundNormal(freedom);
  if (!Number.isInteger(freedom)) return studentQuantile(0.975, freedom);
  if (known[freedom] === 0) known[freedom] = studentQuantile(0.975, freedom);
  return known[freedom] as number;
}

function aroundNormal(freedom: number): number {
  const z = Z95;
  const terms = [
    z,
    (z ** 3 + z) / 4,
    (5 * z ** 5 + 16 * z ** 3 + 3 * z) / 96,
    (3 * z ** 7 + 19 * z ** 5 + 17 * z ** 3 - 15 * z) / 384,
    (79 * z ** 9 + 776 * z ** 7 + 1482 * z ** 5 - 1920 * z ** 3 - 945 * z) / 92160,
  ];
  return terms.reduceRight((sum, term) => sum / freedom + term, 0);
}

/** The t that a variable with so many degrees of freedom stays below with this probability. */
export function studentQuantile(probability: number, freedom: number): number {
  if (probability === 0.5) return 0;
  if (probability < 0.5) return -studentQuantile(1 - probability, freedom);
  const tail = 2 * (1 - probability);
  // Two-sided tail = I_x(freedom / 2, 1 / 2) with x = freedom / (freedom + t^2), which grows with x.
  let [low, high] = [0, 1];
  for (let step = 0; step < 200 && high - low > NEAR * high; step++) {
    const middle = (low + high) / 2;
    if (incompleteBeta(middle, freedom / 2, 0.5) < tail) low = middle;
    else high = middle;
  }
  const x = (low + high) / 2;
  return Math.sqrt((freedom * (1 - x)) / x);
}

/** The regularised incomplete beta function, by Lentz's continued fraction. Source: DLMF 8.17.22. */
export function incompleteBeta(x: number, a: number, b: number): number {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  if (x > (a + 1) / (a + b + 2)) return 1 - incompleteBeta(1 - x, b, a);
  const factor = Math.exp(logGamma(a + b) - logGamma(a) - logGamma(b) + a * Math.log(x) + b * Math.log1p(-x)) / a;
  let upper = 1;
  let lower = 1 / safe(1 - ((a + b) * x) / (a + 1));
  let value = lower;
  for (let step = 1; step < MOST_STEPS; step++) {
    const even = (step * (b - step) * x) / ((a + 2 * step - 1) * (a + 2 * step));
    lower = 1 / safe(1 + even * lower);
    upper = safe(1 + even / upper);
    value *= lower * upper;
    const odd = (-(a + step) * (a + b + step) * x) / ((a + 2 * step) * (a + 2 * step + 1));
    lower = 1 / safe(1 + odd * lower);
    upper = safe(1 + odd / upper);
    const change = lower * upper;
    value *= change;
    if (Math.abs(change - 1) < NEAR) break;
  }
  return factor * value;
}

function safe(value: number): number {
  return Math.abs(value) < 1e-300 ? 1e-300 : value;
}

const STIRLING = [1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360, 1 / 156];
const LARGE = 12;

/** The logarithm of the gamma function of a positive number: Stirling's series, above 12 by recurrence. */
export function logGamma(value: number): number {
  let x = value;
  let product = 1;
  while (x < LARGE) {
    product *= x;
    x += 1;
  }
  let series = 0;
  for (let term = STIRLING.length - 1; term >= 0; term--) series = series / (x * x) + (STIRLING[term] as number);
  return (x - 0.5) * Math.log(x) - x + 0.5 * Math.log(2 * Math.PI) + series / x - Math.log(product);
}
