import { namedFindings, type PageModule } from "../../shell/pages";
import Human from "./Human.svelte";

export const human: PageModule = {
  id: "human",
  title: "Human",
  question: "Does it see what we see?",
  component: Human,
  findingsOf: namedFindings("human"),
};
