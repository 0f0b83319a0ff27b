import { namedFindings, type PageModule } from "../../shell/pages";
import Examples from "./Examples.svelte";

export const examples: PageModule = {
  id: "examples",
  title: "Examples",
  question: "Show me.",
  component: Examples,
  findingsOf: namedFindings("examples"),
};
