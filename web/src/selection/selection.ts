/** The one selection: what everything on screen is about. It lives in the URL as `#/<page>?<selection>`. */

export interface Range {
  readonly low: number;
  readonly high: number;
}

export interface Selection {
  /** Class indices: together they filter the examples. Empty means any. */
  readonly true: readonly number[];
  readonly predicted: readonly number[];
  /** A class, true or predicted. */
  readonly class: readonly number[];
  readonly outcome: "right" | "wrong" | null;
  readonly losses: Range | null;
  readonly confidences: Range | null;
  readonly rows: readonly number[] | null;
  /** Values of columns that came along, by name; of a column of numbers also a range, "low..high". */
  readonly columns: Readonly<Record<string, string>>;
  /** The things in hand. */
  readonly example: number | null;
  readonly layer: string | null;
  readonly unit: number | null;
  readonly step: number | null;
  readonly explained: number | null;
  /** Settings of pages, by name; written as v.<name>. */
  readonly view: Readonly<Record<string, string>>;
}

export interface Address {
  readonly page: string;
  readonly selection: Selection;
}

export const EMPTY: Selection = Object.freeze({
  true: [],
  predicted: [],
  class: [],
  outcome: null,
  losses: null,
  confidences: null,
  rows: null,
  columns: {},
  example: null,
  layer: null,
  unit: null,
  step: null,
  explained: null,
  view: {},
});

/** What is not a filter, empty. */
export const NOTHING_IN_HAND = { example: null, layer: null, unit: null, step: null, explained: null, view: {} };

/** The first page; a file that was made to show another one says so in its markup. */
export const HOME = globalThis.document?.documentElement.dataset.page ?? "overview";

/** What the parameters say; those that cannot be read are left out, so an old link still opens. */
export function parseSelection(parameters: URLSearchParams): Selection {
  const outcome = parameters.get("outcome");
  const columns: Record<string, string> = {};
  const view: Record<string, string> = {};
  for (const [name, value] of parameters) {
    if (name.startsWith("column.")) define(columns, name.slice(7), value);
    else if (name.startsWith("v.")) define(view, name.slice(2), value);
  }
  return {
    true: indices(parameters.get("true")) ?? [],
    predicted: indices(parameters.get("predicted")) ?? [],
    class: indices(parameters.get("class")) ?? [],
    outcome: outcome === "right" || outcome === "wrong" ? outcome : null,
    losses: rangeOf(parameters.get("losses")),
    confidences: rangeOf(parameters.get("confidences")),
    rows: indices(parameters.get("rows")),
    columns,
    example: index(parameters.get("example")),
    layer: parameters.get("layer"),
    unit: index(parameters.get("unit")),
    step: index(parameters.get("step")),
    explained: index(parameters.get("explained")),
    view,
  };
}

/** Parameters in a fixed order, only those that say something. */
export function writeSelection(selection: Selection): URLSearchParams {
  const parameters = new URLSearchParams();
  const put = (name: string, value: string | number | null) => {
    if (value !== null) parameters.set(name, String(value));
  };
  const list = (values: readonly number[] | null) => (values && values.length > 0 ? listed(values) : null);
  const bounds = (one: Range | null) => (one ? writeRange(one) : null);
  put("true", list(selection.true));
  put("predicted", list(selection.predicted));
  put("class", list(selection.class));
  put("outcome", selection.outcome);
  put("losses", bounds(selection.losses));
  put("confidences", bounds(selection.confidences));
  put("rows", selection.rows ? listed(selection.rows) : null);
  for (const [name, value] of Object.entries(selection.columns)) put(`column.${name}`, value);
  put("example", selection.example);
  put("layer", selection.layer);
  put("unit", selection.unit);
  put("step", selection.step);
  put("explained", selection.explained);
  for (const [name, value] of Object.entries(selection.view)) put(`v.${name}`, value);
  return parameters;
}

export function parseHash(hash: string): Address {
  const [path = "", query = ""] = splitOnce(hash.replace(/^#\/?/, ""), "?");
  return { page: path || HOME, selection: parseSelection(new URLSearchParams(query)) };
}

export function writeHash({ page, selection }: Address): string {
  const query = writeSelection(selection).toString();
  return query ? `#/${page}?${query}` : `#/${page}`;
}

/** A finding's selection, or anything else that came as parameters. */
export function selectionOf(parameters: Readonly<Record<string, string>>): Selection {
  return parseSelection(new URLSearchParams(Object.entries(parameters)));
}

/** Whether the selection narrows the examples at all. */
export function isFilter(selection: Selection): boolean {
  return (
    selection.true.length > 0 ||
    selection.predicted.length > 0 ||
    selection.class.length > 0 ||
    selection.outcome !== null ||
    selection.losses !== null ||
    selection.confidences !== null ||
    selection.rows !== null ||
    Object.keys(selection.columns).length > 0
  );
}

/** The same things in hand, no filter. */
export function withoutFilter(selection: Selection): Selection {
  const { example, layer, unit, step, explained, view } = selection;
  return { ...EMPTY, example, layer, unit, step, explained, view };
}

function define(record: Record<string, string>, name: string, value: string): void {
  Object.defineProperty(record, name, { value, enumerable: true, configurable: true, writable: true });
}

function index(text: string | null): number | null {
  return text !== null && /^\d{1,15}$/.test(text) ? Number(text) : null;
}

/** More numbers than this are in no list that a person made. */
const MOST_LISTED = 1 << 22;

/** "3,7-12,40": numbers, and runs of them. What cannot be read is left out. */
function indices(text: string | null): readonly number[] | null {
  if (text === null) return null;
  const values: number[] = [];
  for (const part of text.split(",")) {
    const [from, to] = splitOnce(part, "-").map((end) => index(end));
    if (from === null || from === undefined || to === null) continue;
    const last = Math.min(to ?? from, from + MOST_LISTED - values.length);
    for (let value = from; value <= last; value++) values.push(value);
  }
  return values;
}

/** The opposite: three and more that follow one another become a run. */
function listed(values: readonly number[]): string {
  const parts: string[] = [];
  for (let place = 0; place < values.length; place++) {
    const from = values[place] as number;
    let last = place;
    while (values[last + 1] === (values[last] as number) + 1) last += 1;
    if (last - place < 2) parts.push(String(from));
    else parts.push(`${from}-${values[last]}`);
    if (last - place >= 2) place = last;
  }
  return parts.join(",");
}

/** "low..high"; null where it is something else. */
export function rangeOf(text: string | null): Range | null {
  if (!text?.includes("..")) return null;
  const [low, high] = splitOnce(text, "..").map(Number);
  return low === undefined || high === undefined || Number.isNaN(low) || Number.isNaN(high) || low > high
    ? null
    : { low, high };
}

export function writeRange({ low, high }: Range): string {
  return `${low}..${high}`;
}

function splitOnce(text: string, mark: string): string[] {
  const place = text.indexOf(mark);
  return place < 0 ? [text] : [text.slice(0, place), text.slice(place + mark.length)];
}
