import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type LiveStage, missing, stageOf, visit } from "./harness";

/** Two classes look alike and a third is ruled out: what teaches one of the two must unteach the other. */
const SERVED = `
import sys

import torch
from torch import nn

import pellucid
from pellucid.data import from_python
from pellucid.export import export
from pellucid.server import serve
from pellucid.types import Example

torch.manual_seed(0)
torch.set_num_threads(1)
model = nn.Sequential(nn.Linear(9, 16), nn.ReLU(), nn.Linear(16, 3))
with torch.no_grad():
    model[2].weight[:2] *= 0.1
    model[2].bias.copy_(torch.tensor([0.0, 0.0, -8.0]))
examples = [
    Example(f"<b>row</b> {row}", torch.randn(9) + (3.0 if row % 3 < 2 else -1.0), row % 3) for row in range(60)
]
record = pellucid.inspect(
    model, from_python(examples), out=f"{sys.argv[1]}/net.pellucid", chosen=2, classes=["<i>salt</i>", "sugar", "coal"]
)
export(record.path, f"{sys.argv[1]}/net.html")
serve(record.path, open_browser=False, live=record.live, announce=lambda url: print(url, flush=True))
`;

describe.skipIf(missing !== "")(`how the layers learn${missing ? ` (skipped: ${missing})` : ""}`, () => {
  let folder = "";
  let here: LiveStage;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "pellucid-learning-"));
    here = await stageOf(SERVED, folder);
  });
  afterAll(async () => {
    await here?.close();
    rmSync(folder, { recursive: true });
  });

  it("tells which classes pull apart, layer by layer, and asks the model about any example", async () => {
    const { page, complaints } = await visit(here, here.served, "#/gradients");
    await page.getByRole("button", { name: "How the layers learn" }).click();
    await page.getByRole("heading", { name: "How do the layers learn?" }).waitFor();
    const told = page.getByRole("link", { name: /^What teaches <i>salt<\/i> unteaches sugar: .* cosine of −0\.\d+/ });
    await told.click();
    await page.waitForURL(/v\.learning-pair=0%2C1/);
    await page.getByRole("heading", { name: "<i>salt</i> and sugar, layer by layer" }).waitFor();
    const matrix = page.getByRole("img", { name: /^Cosines of 3 classes by 3 classes, all layers together/ });
    await matrix.focus();
    await page.keyboard.press("ArrowRight");
    await page.getByRole("heading", { name: "<i>salt</i> and coal, layer by layer" }).waitFor();

    const heat = page.getByRole("img", { name: /^mean norm of an example's gradient: 2 layers/ });
    await heat.scrollIntoViewIfNeeded();
    const box = await heat.boundingBox();
    if (!box) throw new Error("The heat map has no place on the page.");
    await page.mouse.click(box.x + box.width * 0.5, box.y + box.height * 0.75);
    await page.waitForURL(/class=1/);
    expect(page.url()).toMatch(/layer=2/);
    await page.getByText("A step on an example of sugar, on average, would change").waitFor();
    await page.getByRole("img", { name: /^Cosines of 3 classes by 3 classes, 2/ }).waitFor();

    const asked = page.getByRole("region", { name: "Chosen examples" });
    await page.evaluate(() => {
      location.hash = "#/gradients?v.view=learning&rows=0,1,2";
    });
    await asked.getByText("3 examples, computed now", { exact: false }).waitFor();
    const toward = asked.getByRole("img", { name: "Cosines of 3 examples with 3 classes; arrows walk the cells" });
    await toward.hover({ position: { x: 8, y: 8 } });
    await page.getByText("<i>salt</i> <b>row</b> 0 toward <i>salt</i>").waitFor();
    expect(complaints).toEqual([]);
    await page.context().close();
  });

  it("links the lengths of gradients to the selection, keeps its numbers as tables, and fits a narrow screen", async () => {
    const { page, complaints } = await visit(here, here.served, "#/gradients?v.view=learning", {
      width: 390,
      dark: true,
    });
    const lengths = page.getByRole("region", { name: "Lengths of the examples' gradients" });
    const bars = lengths.getByRole("img", { name: /^norm of an example's gradient: 60 examples/ });
    await bars.scrollIntoViewIfNeeded();
    const box = await bars.boundingBox();
    if (!box) throw new Error("The histogram has no place on the page.");
    await page.mouse.move(box.x + box.width * 0.6, box.y + 40);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width - 2, box.y + 40, { steps: 4 });
    await page.mouse.up();
    await page.waitForURL(/rows=\d+/);
    await lengths.getByText(/\d+ examples? of the sample (is|are) selected/).waitFor();
    await lengths.getByRole("listitem").first().getByRole("link").click();
    await page.waitForURL(/example=\d+/);
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(390);
    await page.getByText("These cosines as a table").click();
    await page.getByRole("button", { name: "Table", exact: true }).click();
    const table = page.getByRole("table", { name: "parameter gradients by layer" });
    await table.getByText("noise scale (examples)").waitFor();
    expect(complaints).toEqual([]);
    await page.context().close();
  });

  it("is in the exported file, which says what it takes to ask about other examples", async () => {
    const { page, complaints } = await visit(here, `file://${join(folder, "net.html")}`, "#/gradients?v.view=learning");
    await page.getByRole("link", { name: /^What teaches <i>salt<\/i> unteaches sugar/ }).waitFor();
    const asked = page.getByRole("region", { name: "Chosen examples" });
    await asked.getByText("any other needs the model at hand", { exact: false }).waitFor();
    await asked.getByText(/pellucid open .*--model/).waitFor();
    await page.evaluate(() => {
      location.hash = "#/graph?v.measure=learning";
    });
    await page.getByText("parameter gradient norm, mean L2 over a sample").waitFor();
    expect(complaints).toEqual([]);
    await page.context().close();
  });
});
