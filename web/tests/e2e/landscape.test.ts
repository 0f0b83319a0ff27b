import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type LiveStage, missing, stageOf, visit } from "./harness";

/** A small network with batch normalisation: its plane with a row missing, a line to another, and its curvature. */
const SERVED = `
import sys

import torch
from torch import nn

import pellucid
from pellucid.data import from_python
from pellucid.export import export
from pellucid.inspection.landscape import Around, add_landscape
from pellucid.server import serve

torch.set_num_threads(1)


def net(seed):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Linear(8, 2)).eval()


inputs = torch.randn(40, 3, generator=torch.Generator().manual_seed(1))
data = from_python([(one, int(one[0] > 0)) for one in inputs])
lenses = ["predictions", "loss"]
path = pellucid.inspect(net(0), data, out=f"{sys.argv[1]}/net.pellucid", chosen=0, learned=0, lenses=lenses).path
export(path, f"{sys.argv[1]}/bare.html")


def stop(what, done, total):
    if done > 2 * 7 * 5:
        raise KeyboardInterrupt


around = Around(resolution=7, end=net(3).state_dict(), end_source="<b>other</b>.pt", matrices=("hessian",), batch_size=20)
try:
    add_landscape(path, net(0), data, around, progress=stop)
except KeyboardInterrupt:
    export(path, f"{sys.argv[1]}/half.html")
add_landscape(path, net(0), data, around)
export(path, f"{sys.argv[1]}/net.html")
serve(path, open_browser=False, announce=lambda url: print(url, flush=True))
`;

describe.skipIf(missing !== "")(`the loss around the weights${missing ? ` (skipped: ${missing})` : ""}`, () => {
  let folder = "";
  let here: LiveStage;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "pellucid-landscape-"));
    here = await stageOf(SERVED, folder);
  });
  afterAll(async () => {
    await here?.close();
    rmSync(folder, { recursive: true });
  });

  it.each(["served", "exported"])("shows plane, line and curvature, %s", async (kind) => {
    const { page, complaints } = await visit(
      here,
      kind === "served" ? here.served : `file://${folder}/net.html`,
      "#/loss",
    );
    const section = page.getByRole("region", { name: "The loss around these weights" });
    await section.locator("p", { hasText: /of the same\s+40 examples[\s\S]*Batch normalisation used/ }).waitFor();
    await section.locator("p", { hasText: /40 values move;\s+26 biases, scales and shifts\s+stay/ }).waitFor();
    const map = section.getByLabel(/^Mean loss at 49 points/);
    const first = section.getByRole("img", { name: /^Along the first direction, at 0 of the second/ });
    await first.waitFor();
    // A point is taken in hand: the slices run through it, and the address holds it.
    const box = await map.boundingBox();
    if (!box) throw new Error("the plane has no size");
    await map.click({ position: { x: box.width * (1.5 / 7), y: box.height * (0.5 / 7) } });
    await section.getByRole("img", { name: /^Along the first direction, at 1 of the second/ }).waitFor();
    await section.getByRole("img", { name: /^Along the second direction, at −0.667 of the first/ }).waitFor();
    expect(await page.evaluate(() => location.hash)).toContain("landscape-at=1_6");
    const other = (await section.getByRole("button", { name: "logarithmic" }).getAttribute("aria-pressed")) === "true";
    await section.getByRole("button", { name: other ? "linear" : "logarithmic", exact: true }).click();
    await expect.poll(() => page.evaluate(() => location.hash)).toContain("landscape-scale=");
    // The line is named by a file, which is text.
    await section.getByRole("heading", { name: "On the way to <b>other</b>.pt" }).waitFor();
    await section
      .getByRole("region", { name: "Hessian" })
      .locator("p", { hasText: /largest eigenvalue[\s\S]*\(exact\)/ })
      .waitFor();
    await section.getByText("The same as a table").first().click();
    await section.getByText("first direction", { exact: true }).first().waitFor();
    expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBe(0);
    expect(complaints).toEqual([]);
    await page.close();
  });

  it("says what is not computed yet, and how to get what is not there", async () => {
    const half = await visit(here, `file://${folder}/half.html`, "#/loss");
    await half.page.locator("p", { hasText: /14 points are\s+not computed yet: the same command goes on/ }).waitFor();
    expect(half.complaints).toEqual([]);
    await half.page.close();
    const bare = await visit(here, `file://${folder}/bare.html`, "#/loss");
    await bare.page.locator("pre", { hasText: /^pellucid landscape .* --sharpness$/ }).waitFor();
    expect(bare.complaints).toEqual([]);
    await bare.page.close();
  });
});
