import type { PageModule } from "../../shell/pages";
import Overview from "./Overview.svelte";

export const overview: PageModule = {
  id: "overview",
  title: "Overview",
  question: "What should I know about this model?",
  component: Overview,
  findingsOf: () => [],
};
