/** What the search box finds: pages, classes, layers, units and examples, the best matches first. */
import type { Examples } from "../record/examples";
import type { LayerInfo } from "../record/schema.gen";
import type { Selection } from "../selection/selection";
import type { PageModule } from "./pages";

export interface Hit {
  readonly kind: "page" | "class" | "layer" | "unit" | "example";
  readonly text: string;
  readonly page: string | null;
  readonly patch: Partial<Selection>;
}

export interface Haystack {
  readonly pages: readonly PageModule[];
  readonly classes: readonly string[];
  readonly layers: readonly LayerInfo[];
  readonly examples: Examples | null;
}

const MOST_OF_A_KIND = 6;

/** Case does not matter; "layer 17" or "layer/17" finds a unit of a layer. */
export function find(query: string, { pages, classes, layers, examples }: Haystack): Hit[] {
  const wanted = query.trim().toLowerCase();
  const hits: Hit[] = [];
  const rank = <Thing>(things: readonly Thing[], textOf: (thing: Thing) => string): Thing[] =>
    things
      .map((thing, index) => ({ thing, index, score: score(textOf(thing), wanted) }))
      .filter(({ score }) => score > 0)
      .sort((a, b) => b.score - a.score || a.index - b.index)
      .slice(0, MOST_OF_A_KIND)
      .map(({ thing }) => thing);
  for (const page of rank(pages, (one) => `${one.title} ${one.question}`)) {
    hits.push({ kind: "page", text: `${page.title}: ${page.question}`, page: page.id, patch: {} });
  }
  if (wanted === "") return hits;
  const named = classes.map((name, index) => ({ name: name.trim() === "" ? `class ${index}` : name, index }));
  for (const { name, index } of rank(named, (one) => one.name)) {
    hits.push({ kind: "class", text: name, page: null, patch: { class: [index] } });
  }
  for (const layer of rank(layers, (one) => `${one.name} ${one.operation}`)) {
    hits.push({
      kind: "layer",
      text: `${layer.name} · ${layer.operation}`,
      page: null,
      patch: { layer: layer.name, unit: null },
    });
  }
  hits.push(...unitHits(wanted, layers), ...exampleHits(wanted, examples));
  return hits;
}

function unitHits(wanted: string, layers: readonly LayerInfo[]): Hit[] {
  const parts = /^(.*?)[\s/:#]+(?:unit\s*)?(\d+)$/.exec(wanted);
  if (!parts) return [];
  const unit = Number(parts[2]);
  return layers
    .filter((layer) => layer.name.toLowerCase().includes(parts[1] ?? "") && unit < layer.units)
    .slice(0, MOST_OF_A_KIND)
    .map((layer) => ({
      kind: "unit",
      text: `${layer.name} · unit ${unit}`,
      page: null,
      patch: { layer: layer.name, unit },
    }));
}

/** The example of that very id, then that of the row, then those whose id has the text in it; 0037 is no row, 37 is. */
function exampleHits(wanted: string, examples: Examples | null): Hit[] {
  if (!examples) return [];
  const named: number[] = [];
  const like: number[] = [];
  for (let row = 0; row < examples.count; row++) {
    const id = examples.id(row).toLowerCase();
    if (id === wanted) named.push(row);
    else if (like.length < MOST_OF_A_KIND && id.includes(wanted)) like.push(row);
  }
  const asked = /^(?:row\s+)?(0|[1-9]\d*)$/.exec(wanted)?.[1];
  const numbered = asked !== undefined && examples.has(Number(asked)) ? Number(asked) : null;
  const text = (row: number) =>
    row === numbered && !named.includes(row) ? `row ${row}: ${examples.id(row)}` : examples.id(row);
  return [...new Set([...named, ...(numbered === null ? [] : [numbered]), ...like])]
    .slice(0, MOST_OF_A_KIND)
    .map((row) => ({ kind: "example", text: text(row), page: null, patch: { example: row, explained: null } }));
}

/** 3 for the start of the text, 2 for the start of a word, 1 for anywhere. */
function score(text: string, wanted: string): number {
  const place = text.toLowerCase().indexOf(wanted);
  if (place < 0) return 0;
  if (place === 0) return 3;
  return /\W/.test(text.charAt(place - 1)) ? 2 : 1;
}
