import { namedFindings, type PageModule } from "../../shell/pages";
import Gradients from "./Gradients.svelte";

export const gradients: PageModule = {
  id: "gradients",
  title: "Gradients",
  question: "What did the answer depend on?",
  component: Gradients,
  findingsOf: namedFindings("gradients"),
};
