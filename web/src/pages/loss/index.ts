import { namedFindings, type PageModule } from "../../shell/pages";
import LargeLoss from "../large/LargeLoss.svelte";
import Loss from "./Loss.svelte";

export const loss: PageModule = {
  id: "loss",
  title: "Loss",
  question: "Where does the loss come from?",
  component: Loss,
  asking: LargeLoss,
  findingsOf: namedFindings("loss"),
};
