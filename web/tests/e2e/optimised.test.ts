import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type LiveStage, missing, stageOf, visit } from "./harness";

/** Units that look for red and for blue: what the pictures are of is known. */
const SERVED = `
import sys

import torch
from torch import nn

import pellucid
from pellucid.data import from_python
from pellucid.export import export
from pellucid.features import Ascent
from pellucid.inspection.features import Asked, add_features
from pellucid.server import serve
from pellucid.types import Example

torch.manual_seed(0)
torch.set_num_threads(1)
model = nn.Sequential(nn.Conv2d(3, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(2 * 64, 2)).eval()
with torch.no_grad():
    model[0].bias.zero_()
    for unit, colour in enumerate([(1.0, -0.5, -0.5), (-0.5, -0.5, 1.0)]):
        model[0].weight[unit] = torch.tensor(colour).view(3, 1, 1) / 9
examples = [Example(f"<b>row</b> {row}", 0.4 + 0.2 * torch.rand(3, 10, 10), row % 2) for row in range(12)]
source = from_python(examples)
lenses = ["graph", "predictions", "activations"]
record = pellucid.inspect(
    model, source, out=f"{sys.argv[1]}/net.pellucid", chosen=0, classes=["a", "b"], lenses=lenses
)
add_features(record.path, model, source, Asked(ascent=Ascent("maco", 4), channels=(1,), layers=("1",)))
export(record.path, f"{sys.argv[1]}/net.html")
serve(record.path, open_browser=False, live=record.live, announce=lambda url: print(url, flush=True))
`;

describe.skipIf(missing !== "")(`pictures made to excite units${missing ? ` (skipped: ${missing})` : ""}`, () => {
  let folder = "";
  let here: LiveStage;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "pellucid-optimised-"));
    here = await stageOf(SERVED, folder);
  });
  afterAll(async () => {
    await here?.close();
    rmSync(folder, { recursive: true });
  });

  /** Mean red, green and blue of the canvas of that name. */
  const colour = (canvas: Element) => {
    const { width, height } = canvas as HTMLCanvasElement;
    // Read from a copy, however often it is asked: the browser complains of pages that read their own canvas again.
    const copy = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
    copy?.drawImage(canvas as HTMLCanvasElement, 0, 0);
    const data = copy?.getImageData(0, 0, width, height).data ?? [];
    const sum = [0, 0, 0];
    for (let at = 0; at < data.length; at += 4) {
      for (let part = 0; part < 3; part++) sum[part] = (sum[part] ?? 0) + (data[at + part] ?? 0) / (width * height);
    }
    return sum;
  };

  it("makes them while one looks, says what they reach, and stops on request", async () => {
    const { page, complaints } = await visit(here, here.served, "#/features?layer=1&unit=0&v.made-variants=2");
    const made = page.getByRole("region", { name: "Made by optimisation" });
    await made.getByRole("button", { name: "make pictures" }).click();
    await made.getByText(/^Fourier: reaches \d+(\.\d+)? times the strongest of 12 examples/).waitFor();
    await made.getByRole("progressbar").waitFor({ state: "detached" });
    await made.getByText(/10 × 10 pixels; [\d,]+ forward and 192 backward examples/).waitFor();
    const first = made.getByLabel("Picture 1 of 2 made to excite unit 0");
    const [red, green, blue] = (await first.evaluate(colour)) as [number, number, number];
    expect(red).toBeGreaterThan(1.5 * Math.max(green, blue));
    expect(await made.locator("canvas").count()).toBe(2);

    await made.getByLabel("steps").selectOption("384");
    await made.getByLabel("method").selectOption("maco");
    await page.waitForURL(/v\.made-method=maco/);
    await made.getByRole("button", { name: "make pictures" }).click();
    await made.getByRole("button", { name: "Cancel making pictures" }).click();
    await made.getByRole("progressbar").waitFor({ state: "detached" });
    expect(complaints).toEqual([]);
  });

  it("shows those of the record in a file without a model, and says how to make others", async () => {
    const { page, complaints } = await visit(here, `file://${folder}/net.html`, "#/features?layer=1&unit=1");
    const made = page.getByRole("region", { name: "Made by optimisation" });
    await made.getByText(/^MACO: reaches .* times the strongest of 12 examples/).waitFor();
    const stored = made.getByLabel("Picture 1 made to excite unit 1, MACO");
    await expect.poll(async () => ((await stored.evaluate(colour)) as number[])[2]).toBeGreaterThan(0);
    await made.getByText("What such a picture is, and what it is not").click();
    await made.getByText(/It is nothing that the model was shown/).waitFor();

    await page.goto(`file://${folder}/net.html#/features?layer=1&unit=0`);
    await made.getByText("No picture of this unit is in this record").click();
    await made.getByText(/pellucid features .* --optimise --layer 1 --channel 0/).waitFor();
    expect(complaints).toEqual([]);
  });
});
