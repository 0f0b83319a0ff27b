/** What the benchmark of the layout measures, in one module that Node can load. */
export { default as dagre } from "@dagrejs/dagre";
export { fold } from "../../src/layout/fold";
export { layOut } from "../../src/layout/layout";
export { GraphModel } from "../../src/layout/model";
export { SearchIndex } from "../../src/layout/search";
export { dag, edge, flat, network, node } from "./graphs";
