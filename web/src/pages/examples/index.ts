import { namedFindings, type PageModule } from "../../shell/pages";
import LargeExamples from "../large/LargeExamples.svelte";
import Examples from "./Examples.svelte";

export const examples: PageModule = {
  id: "examples",
  title: "Examples",
  question: "Show me.",
  component: Examples,
  asking: LargeExamples,
  findingsOf: namedFindings("examples"),
};
