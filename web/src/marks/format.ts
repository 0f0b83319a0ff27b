/** Numbers as people read them. Every number on screen comes through here, so that they look alike. */

const integers = new Intl.NumberFormat("en-US");

export const NOT_DEFINED = "–";

/**
 * A name or sentence from a file with what would steer the text around it made visible: control characters, and the
 * overrides that turn the direction of writing.
 */
export function plain(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
  return text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, "\ufffd");
}

/** Whether anything of a name can be seen: spaces, and letters without width, cannot. */
export const visible = (text: string): boolean => /[^\s\p{Cc}\p{Cf}\u115f\u1160\u2800\u3164\uffa0]/u.test(text);

/** 12,345 */
export function count(value: number | null | undefined): string {
  return value === null || value === undefined || Number.isNaN(value)
    ? NOT_DEFINED
    : integers.format(value).replace("-", "−");
}

/** Three significant digits, powers of ten where it is very large or small: 0.0123, 1.2e-7. */
export function number(value: number | null | undefined, digits = 3): string {
  if (value === null || value === undefined || Number.isNaN(value)) return NOT_DEFINED;
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  if (Number.isInteger(value) && Math.abs(value) < 1e6) return integers.format(value).replace("-", "−");
  // The form is that of what will stand there: 999.7 is written as 1,000 is.
  const size = Math.abs(rounded(value, digits));
  const text =
    size >= 1e6 || size < 1e-3
      ? value.toExponential(Math.max(0, digits - 1)).replace("e+", "e")
      : size >= 10 ** digits
        ? integers.format(Math.round(value))
        : value.toPrecision(digits);
  return text.replace("-", "−").replace("e-", "e−");
}

/** To so many significant digits. */
const rounded = (value: number, digits = 3): number => Number(value.toPrecision(digits));

/**
 * What stands at the ticks of an axis: no zeros that say nothing (0.1 and not 0.100), and on an axis of equal steps as
 * many decimals at every tick (0.05, 0.10, 0.15).
 */
export function tickWords(ticks: readonly number[], format: (value: number) => string = exactly): string[] {
  const words = ticks.map((tick) => bare(format(tick)));
  const [first = 0, second = 0] = ticks;
  const step = second - first;
  const even = ticks.every((tick, at) => Math.abs(tick - first - at * step) <= 1e-6 * Math.abs(step));
  if (ticks.length < 3 || !even || words.some((word) => /[e∞–]/.test(word))) return words;
  const decimals = Math.max(...words.map((word) => decimalsOf(word).length));
  return words.map((word, at) => (ticks[at] === 0 ? word : padded(word, decimals)));
}

/** Six digits: more than any tick has, and fewer than the rounding of one. */
const exactly = (value: number): string => number(Math.abs(value) < 1e-12 ? 0 : value, 6);

/** Without the zeros at the end of its decimals: 0.100 is 0.1, 1.0e−5 is 1e−5, 70.0% is 70%. */
const bare = (text: string): string => text.replace(/(\d)(?:\.0+|(\.\d*[1-9])0+)(?!\d)/, "$1$2");

const decimalsOf = (text: string): string => /\d\.(\d+)/.exec(text)?.[1] ?? "";

function padded(text: string, decimals: number): string {
  const missing = "0".repeat(decimals - decimalsOf(text).length);
  if (missing === "") return text;
  return text.replace(/[\d,]+(\.\d+)?/, (digits) => `${digits}${digits.includes(".") ? "" : "."}${missing}`);
}

/** How far a sum of shares may be from 1 by rounding alone. */
const ROUNDING = 2e-6;

/** 91.2%; two decimals very near 0 and 1, where they matter; never an end that is not reached. */
export function percent(value: number | null | undefined, digits?: number): string {
  if (value === null || value === undefined || Number.isNaN(value)) return NOT_DEFINED;
  // Sums of many parts end a little beside 1.
  const whole = Math.abs(1 - value) < ROUNDING ? 0 : Math.abs(1 - value);
  const edge = Math.min(Math.abs(value), whole);
  const decimals = digits ?? (edge > 0 && edge < 0.001 ? 2 : 1);
  const text = (100 * value).toFixed(decimals);
  const atEnd = Number(text) === 0 || Number(text) === 100;
  if (!atEnd || edge === 0 || value < 0 || value > 1)
    return `${Number(text) === 0 ? text.replace("-", "") : minus(text)}%`;
  const least = 10 ** -decimals;
  return value < 0.5 ? `<${least.toFixed(decimals)}%` : `>${(100 - least).toFixed(decimals)}%`;
}

/** A difference of shares in points of 100: "+1.2", "−0.4", "0.0" where that is what it rounds to. */
export function points(value: number, decimals = 1): string {
  const text = (100 * value).toFixed(decimals);
  if (Number(text) === 0) return text.replace("-", "");
  return `${value > 0 ? "+" : ""}${minus(text)}`;
}

const minus = (text: string): string => text.replace("-", "−");

/** "88.4% to 93.4%" */
export function percentInterval(interval: { low: number; high: number } | null | undefined): string {
  return interval ? `${percent(interval.low)} to ${percent(interval.high)}` : "";
}

/** "0.31 to 0.54" */
export function interval(one: { low: number; high: number } | null | undefined): string {
  return one ? `${number(one.low)} to ${number(one.high)}` : "";
}

/** "0.12 nats"; a unit that is said in many words stands in brackets: "3.1 (square of the target's unit)". */
export function withUnit(text: string, unit: string): string {
  if (unit === "") return text;
  return unit.includes("unit") ? `${text} (${unit})` : `${text} ${unit}`;
}

/** 1.2 million */
export function quantity(value: number | null | undefined): string {
  if (value === null || value === undefined || Number.isNaN(value)) return NOT_DEFINED;
  if (value < 1e6) return minus(integers.format(value));
  const size = rounded(value);
  return size >= 1e9 ? `${number(value / 1e9)} billion` : `${number(value / 1e6)} million`;
}

/** 1.4 MB */
export function bytes(value: number | null | undefined): string {
  if (value === null || value === undefined || Number.isNaN(value)) return NOT_DEFINED;
  for (const [size, unit] of [
    [1e9, "GB"],
    [1e6, "MB"],
    [1e3, "kB"],
  ] as const) {
    if (value >= 1e3 && rounded(value) >= size) return `${number(value / size)} ${unit}`;
  }
  return `${value} B`;
}

/** 3.2 s, 4 min 10 s */
export function duration(seconds: number): string {
  if (rounded(seconds) < 60) return `${number(seconds)} s`;
  const whole = Math.round(seconds);
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  const minutes = Math.round(seconds / 60);
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** "1 example", "1,200 examples" */
export function plural(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`;
}

/** "all 12 examples", "the only example"; "the selected 3 examples", "the selected example". */
export function those(value: number, whole: boolean): string {
  if (value === 1) return whole ? "the only example" : "the selected example";
  return `${whole ? "all" : "the selected"} ${plural(value, "example")}`;
}

/** [3, 224, 224] as 3 × 224 × 224. */
export function shape(extents: readonly number[]): string {
  return extents.length === 0 ? "scalar" : extents.join(" × ");
}
