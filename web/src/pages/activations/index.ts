import { namedFindings, type PageModule } from "../../shell/pages";
import Activations from "./Activations.svelte";

export const activations: PageModule = {
  id: "activations",
  title: "Activations",
  question: "What happens to this input on its way?",
  component: Activations,
  findingsOf: namedFindings("activations"),
};
