import { namedFindings, type PageModule } from "../../shell/pages";
import Compare from "./Compare.svelte";

export const compare: PageModule = {
  id: "compare",
  title: "Compare",
  question: "Is it better than before?",
  component: Compare,
  findingsOf: namedFindings("compare"),
};
