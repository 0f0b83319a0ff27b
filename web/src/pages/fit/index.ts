import { namedFindings, type PageModule } from "../../shell/pages";
import Fit from "./Fit.svelte";

export const fit: PageModule = {
  id: "fit",
  title: "Fit",
  question: "Does the model suit this task?",
  component: Fit,
  findingsOf: namedFindings("fit"),
};
