import { namedFindings, type PageModule } from "../../shell/pages";
import Features from "./Features.svelte";

export const features: PageModule = {
  id: "features",
  title: "Features",
  question: "What is each unit looking for?",
  component: Features,
  findingsOf: namedFindings("features"),
};
