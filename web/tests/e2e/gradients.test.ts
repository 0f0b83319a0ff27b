import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type LiveStage, missing, stageOf, visit } from "./harness";

/** A model of images with a pooled linear head, or one of a table; the examples' names are markup. */
const SERVED = `
import sys

import torch
from torch import nn

import pellucid
from pellucid.data import from_python
from pellucid.server import serve
from pellucid.types import Example

torch.manual_seed(0)
torch.set_num_threads(1)


class Slow(nn.Identity):
    """Takes its time with whole batches, so that a question is under way long enough to be stopped."""

    def forward(self, inputs):
        if len(inputs) > 4:
            torch.nn.functional.conv2d(inputs.repeat(1, 8, 4, 4), torch.ones(64, 8, 9, 9)).sum()
        return inputs


models = {
    "images": (nn.Sequential(
        Slow(), nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 12, 3, padding=1), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(12, 3),
    ), (1, 24, 24)),
    "table": (nn.Sequential(nn.Linear(9, 16), nn.ReLU(), nn.Linear(16, 3)), (9,)),
}
name = sys.argv[2]
model, shape = models[name]
examples = [Example(f"<b>{name}</b> {row}", torch.randn(shape), row % 3) for row in range(6)]
record = pellucid.inspect(model, from_python(examples), out=f"{sys.argv[1]}/{name}.pellucid", chosen=2)
serve(record.path, open_browser=False, live=record.live, announce=lambda url: print(url, flush=True))
`;

const tile = (page: Page, method: string) => page.locator(`main [data-method="${method}"]`);
const status = (page: Page, method: string, wanted: string) =>
  page.locator(`main [data-method="${method}"][data-status="${wanted}"]`).waitFor();
const hand = (page: Page) => page.getByRole("region", { name: "The map in hand" });

async function painted(page: Page, name: string): Promise<string> {
  return page
    .getByRole("img", { name, exact: true })
    .locator("canvas")
    .evaluate((canvas: HTMLCanvasElement) => canvas.toDataURL());
}

describe.skipIf(missing !== "")(`attribution with a model at hand${missing ? ` (skipped: ${missing})` : ""}`, () => {
  let folder = "";
  let here: LiveStage;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "pellucid-gradients-"));
    here = await stageOf(SERVED, folder, "images");
  });
  afterAll(async () => {
    await here?.close();
    rmSync(folder, { recursive: true });
  });

  it("shows the plain methods at once, and any other where it is asked for", async () => {
    const { page, complaints } = await visit(here, here.served, "#/gradients?example=1");
    await hand(page).getByRole("img", { name: "Grad-CAM over the input" }).waitFor();
    for (const plain of ["saliency", "gradient_x_input", "hires_cam", "cam"]) await status(page, plain, "ready");
    for (const other of ["guided_backprop", "integrated_gradients"]) await status(page, other, "open");
    await tile(page, "integrated_gradients").getByText("16 forwards and backwards").waitFor();
    await page.getByRole("button", { name: "Run Integrated gradients" }).click();
    await status(page, "integrated_gradients", "ready");
    await tile(page, "integrated_gradients").getByText("residual", { exact: false }).waitFor();
    await tile(page, "integrated_gradients").getByRole("link", { name: "Integrated gradients", exact: true }).click();
    await page.waitForURL(/v\.method=integrated_gradients/);
    const badge = hand(page).getByRole("button", { name: /^residual .*axiom 2/ });
    await badge.hover();
    await page.getByText("completeness residual", { exact: false }).first().waitFor();
    expect(complaints).toEqual([]);
    await page.context().close();
  });

  it("says by name which methods refuse, and why", async () => {
    const { page, complaints } = await visit(here, here.served, "#/gradients?example=2");
    await status(page, "saliency", "ready");
    await page.getByRole("button", { name: "run all" }).click();
    await status(page, "attention_rollout", "refused");
    await status(page, "guided_backprop", "ready");
    expect(await tile(page, "attention_rollout").textContent()).toMatch(
      /Attention rollout gives no map\..*self-attention/,
    );
    expect(complaints).toEqual([]);
    await page.context().close();
  });

  it("tells how far a long method is, and lets the model stop", async () => {
    const { page, complaints } = await visit(here, here.served, "#/gradients?example=3");
    await status(page, "saliency", "ready");
    await page.getByRole("button", { name: "Run RISE" }).click();
    await status(page, "rise", "running");
    await tile(page, "rise")
      .getByText(/^\d+ of 1,000/)
      .waitFor();
    await tile(page, "rise").getByRole("img", { name: "RISE of the input" }).waitFor();
    await page.getByRole("button", { name: "Cancel RISE" }).click();
    await tile(page, "rise")
      .getByText(/^stopped after \d+ of 1,000$/)
      .waitFor();
    // The model is free again.
    await page.getByRole("button", { name: "Run Deconvnet" }).click();
    await status(page, "deconvnet", "ready");
    expect(complaints).toEqual([]);
    await page.context().close();
  });

  it("explains the loss and a unit in words, each with maps of its own", async () => {
    const { page, complaints } = await visit(here, here.served, "#/gradients?example=1");
    await status(page, "saliency", "ready");
    const logit = await painted(page, "Saliency of the input");
    await page.getByRole("combobox", { name: "explain" }).selectOption("loss");
    await page.locator("main .facts", { hasText: /explained: the loss, .* nats/ }).waitFor();
    await status(page, "saliency", "ready");
    const loss = await painted(page, "Saliency of the input");
    await page.evaluate(() => {
      location.hash = "#/gradients?example=1&layer=2&unit=5&v.aim=unit&v.place=max";
    });
    await page.locator("main .facts", { hasText: "unit 5 of 2, its strongest place" }).waitFor();
    await status(page, "saliency", "ready");
    const unit = await painted(page, "Saliency of the input");
    expect(new Set([logit, loss, unit]).size).toBe(3);
    expect(complaints).toEqual([]);
    await page.context().close();
  });

  it("checks a map against random weights, and by deletion and insertion", async () => {
    const { page, complaints } = await visit(here, here.served, "#/gradients?example=4&v.method=saliency");
    await hand(page).getByRole("img", { name: "Saliency over the input" }).waitFor();
    await page.getByRole("button", { name: "check against random weights" }).click();
    await hand(page)
      .getByRole("button", { name: /on random weights.*arXiv:1810\.03292/ })
      .waitFor();
    await hand(page)
      .getByRole("img", { name: /after each of 3 modules was randomised/ })
      .waitFor();
    await page.getByRole("button", { name: "deletion and insertion" }).click();
    await hand(page)
      .getByRole("button", { name: /^deletion area 0\./ })
      .waitFor();
    await hand(page)
      .getByRole("img", { name: /^insertion curve of Saliency: the probability from / })
      .waitFor();
    expect(complaints).toEqual([]);
    await page.context().close();
  });

  it("has a control for each option, in the address, and asks again with what is set", async () => {
    const { page, complaints } = await visit(
      here,
      here.served,
      "#/gradients?example=1&v.method=occlusion&v.occlusion.window=8&v.occlusion.stride=4",
    );
    await status(page, "saliency", "ready");
    const settings = hand(page).getByRole("group", { name: "settings of Occlusion" });
    await page.getByRole("button", { name: "Run Occlusion", exact: true }).click();
    await status(page, "occlusion", "ready");
    const coarse = await painted(page, "Occlusion of the input");
    await settings.getByRole("textbox", { name: "window" }).fill("6");
    await settings.getByRole("textbox", { name: "window" }).press("Enter");
    await page.waitForURL(/v\.occlusion\.window=6/);
    await status(page, "occlusion", "open");
    await settings.getByRole("button", { name: "Run Occlusion with these settings" }).click();
    await status(page, "occlusion", "ready");
    expect(await painted(page, "Occlusion of the input")).not.toBe(coarse);
    expect(await tile(page, "occlusion").textContent()).toContain("window 6");
    await settings.getByRole("button", { name: "defaults" }).click();
    await page.waitForURL((url) => !url.hash.includes("occlusion.window"));
    expect(complaints).toEqual([]);
    await page.context().close();
  });

  it("opens with the settings of a link, prices them, and shows what the model refuses of them", async () => {
    const link = "#/gradients?example=2&v.method=rise&v.rise.masks=64&v.layer_cam.relu=0&v.lrp_gamma.gamma=-1";
    const { page, complaints } = await visit(here, here.served, link);
    await status(page, "layer_cam", "ready");
    await tile(page, "layer_cam").getByText("relu 0").waitFor();
    await tile(page, "rise").getByText("64 forwards", { exact: true }).waitFor();
    await page.getByRole("button", { name: "Run RISE", exact: true }).click();
    await status(page, "rise", "ready");
    await tile(page, "lrp_gamma").getByRole("link").first().click();
    await page.getByRole("button", { name: "Run LRP-gamma with these settings" }).click();
    await hand(page).getByRole("alert").filter({ hasText: "-1" }).waitFor();
    await page.getByRole("textbox", { name: "gamma" }).fill("0.5");
    await page.getByRole("textbox", { name: "gamma" }).press("Enter");
    await status(page, "lrp_gamma", "ready");
    expect(complaints.filter((one) => !one.includes("400"))).toEqual([]);
    await page.context().close();
  });

  it("shows every layer of the method in hand, and does not scroll sideways where it is narrow", async () => {
    const { page, complaints } = await visit(here, here.served, "#/gradients?example=5", { width: 390, dark: true });
    await page
      .getByRole("img", { name: /^Grad-CAM of \d/ })
      .nth(1)
      .waitFor();
    expect(await page.locator("main b", { hasText: "images" }).count()).toBe(0);
    expect(await page.locator("main .facts").textContent()).toContain("<b>images</b> 5");
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390);
    expect(complaints).toEqual([]);
    await page.context().close();
  });
});

describe.skipIf(missing !== "")(`attribution of a table${missing ? ` (skipped: ${missing})` : ""}`, () => {
  let folder = "";
  let here: LiveStage;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "pellucid-table-"));
    here = await stageOf(SERVED, folder, "table");
  });
  afterAll(async () => {
    await here?.close();
    rmSync(folder, { recursive: true });
  });

  it("shows columns in the colour of their value, and every CAM refusing", async () => {
    const { page, complaints } = await visit(here, here.served, "#/gradients?example=1");
    await hand(page).getByRole("img", { name: "Saliency of the input, in hand" }).waitFor();
    expect(await hand(page).locator(".step").count()).toBe(9);
    for (const cam of ["grad_cam", "layer_cam", "eigen_cam"]) await status(page, cam, "refused");
    expect(await page.locator("main .facts").textContent()).toMatch(/at logit [−\d]/);
    expect(complaints).toEqual([]);
    await page.context().close();
  });
});
