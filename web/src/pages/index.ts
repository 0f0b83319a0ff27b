/** Every page of the app, in the order of the rail. To add one: a folder, one line here. */
import type { PageModule } from "../shell/pages";
import { accuracy } from "./accuracy";
import { activations } from "./activations";
import { compare } from "./compare";
import { confusion } from "./confusion";
import { examples } from "./examples";
import { features } from "./features";
import { fit } from "./fit";
import { gradients } from "./gradients";
import { graph } from "./graph";
import { histograms } from "./histograms";
import { human } from "./human";
import { loss } from "./loss";
import { overview } from "./overview";
import { training } from "./training";

export const PAGES: readonly PageModule[] = [
  overview,
  graph,
  loss,
  accuracy,
  confusion,
  gradients,
  activations,
  features,
  histograms,
  training,
  human,
  compare,
  fit,
  examples,
];
