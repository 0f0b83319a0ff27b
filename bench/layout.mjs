/**
 * Folding, layout and search of large graphs in Node: node layout.mjs [dagre NODES] prints JSON, milliseconds by what was
 * measured. With "dagre" it lays out one graph of that size by dagre instead.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const REPEATS = 5;
const SIZES = [1100, 18_000, 46_000];
const web = fileURLToPath(new URL("../web", import.meta.url));
const { build } = await import(pathToFileURL(createRequire(join(web, "package.json")).resolve("vite")));
const folder = mkdtempSync(join(tmpdir(), "pellucid-layout-"));
let measured;
try {
  await build({
    root: web,
    configFile: false,
    logLevel: "error",
    ssr: { noExternal: true },
    build: { ssr: "tests/support/measured.ts", outDir: folder, emptyOutDir: false, copyPublicDir: false },
  });
  measured = await import(pathToFileURL(join(folder, "measured.js")));
} finally {
  rmSync(folder, { recursive: true });
}
const { dagre, edge, flat, fold, GraphModel, layOut, network, node, SearchIndex } = measured;

function taken(run) {
  const begun = performance.now();
  run();
  return performance.now() - begun;
}

const repeated = (run) => Array.from({ length: REPEATS }, () => taken(run));

function laidOut(visible) {
  const work = layOut(visible);
  let longest = 0;
  for (let last = performance.now(), done = false; !done; ) {
    done = work.next().done;
    const now = performance.now();
    longest = Math.max(longest, now - last);
    last = now;
  }
  return longest;
}

function byDagre(count) {
  const graph = new dagre.graphlib.Graph().setGraph({ ranker: "longest-path" }).setDefaultEdgeLabel(() => ({}));
  for (let at = 0; at < count; at++) graph.setNode(String(at), { width: 90, height: 28 });
  for (const [from, to] of network(count)) graph.setEdge(String(from), String(to));
  return taken(() => dagre.layout(graph));
}

/** 46,000 calls in 400 blocks of two levels, 90,000 edges: the network, and as many short ones again. */
function nested(calls, edges) {
  const nodes = [];
  const leaves = [];
  for (let block = 0; nodes.length < calls; block++) {
    const outer = nodes.length;
    nodes.push(node(outer, `layers.${block}`));
    for (let part = 0; part < 4; part++) {
      const inner = nodes.length;
      nodes.push(node(inner, `layers.${block}.part${part}`, outer));
      for (let leaf = 0; leaf < 28; leaf++) {
        leaves.push(nodes.length);
        nodes.push(node(nodes.length, `layers.${block}.part${part}.op${leaf}`, inner));
      }
    }
  }
  const pairs = network(leaves.length);
  for (let at = 0; pairs.length < edges; at++) pairs.push([at % (leaves.length - 3), (at % (leaves.length - 3)) + 3]);
  return new GraphModel({ nodes, edges: pairs.map(([from, to]) => edge(leaves[from], leaves[to])), repeats: [], loops: [] });
}

if (process.argv[2] === "dagre") {
  console.log(JSON.stringify({ dagre: byDagre(Number(process.argv[3])) }));
} else {
  const found = { layouts: {}, stretches: {}, edges: {} };
  for (const size of SIZES) {
    const pairs = network(size);
    const visible = flat(size, pairs);
    const stretches = [];
    found.edges[size] = pairs.length;
    found.layouts[size] = repeated(() => stretches.push(laidOut(visible)));
    found.stretches[size] = Math.max(...stretches);
  }
  const model = nested(46_000, 90_000);
  const every = model.openToDepth(99);
  found.fold = Array.from({ length: 2 * REPEATS }, (_, at) => {
    const open = new Set(every);
    open.delete(116 * at);
    return taken(() => fold(model, { open, spread: new Set() }));
  }).slice(REPEATS);
  const calls = Array.from({ length: 200_000 }, (_, at) =>
    node(at, `layers.${at >> 6}.proj${at % 7}`, null, {
      path: `model.layers.${at >> 6}.mlp.block${at % 64}.proj${at % 7}`,
      operation: ["Conv2d", "BatchNorm2d", "ReLU", "Linear", "add"][at % 5],
      outputs: [[1, 64, 56, at % 60]],
      source: `modeling.py:${at % 900}`,
    }),
  );
  const index = new SearchIndex(calls);
  // As the page builds it ahead: four milliseconds at a time.
  found.index = [];
  for (let done = false; !done; ) found.index.push(taken(() => (done = index.build(4))));
  found.search = ["conv", "e", "layers.100 conv2d", "mdlprj", "1x64x56", "modeling.py:77", "mlp block proj relu", "zz"].map(
    (query) => Math.min(...repeated(() => index.find(query))),
  );
  console.log(JSON.stringify(found));
}
