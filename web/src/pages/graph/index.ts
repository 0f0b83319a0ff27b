import { namedFindings, type PageModule } from "../../shell/pages";
import Graph from "./Graph.svelte";

export const graph: PageModule = {
  id: "graph",
  title: "Graph",
  question: "How does the signal flow?",
  component: Graph,
  findingsOf: namedFindings("graph"),
};
