import { namedFindings, type PageModule } from "../../shell/pages";
import Histograms from "./Histograms.svelte";

export const histograms: PageModule = {
  id: "histograms",
  title: "Histograms",
  question: "Are the numbers healthy?",
  component: Histograms,
  findingsOf: namedFindings("histograms"),
};
