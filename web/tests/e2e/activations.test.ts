/**
 * The Activations page in its six views and the Features page, on a convolutional network, a ViT and a Swin with random
 * weights. Names of classes, examples and layers are markup.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type LiveStage, missing, stageOf, type Visit, visit } from "./harness";

const SERVED = `
import sys
import time
from collections import OrderedDict

import torch
from timm.models import SwinTransformer, VisionTransformer
from torch import nn

import pellucid
from pellucid.data import from_python
from pellucid.inspection.features import Asked, add_features
from pellucid.server import start
from pellucid.types import Example, Media
from pellucid.data.images import picture_of_tensor

torch.manual_seed(0)
torch.set_num_threads(1)
size = dict(img_size=32, num_classes=3)
models = {
    "net": nn.Sequential(OrderedDict({
        "<i>first": nn.Conv2d(3, 8, 3, padding=1), "relu": nn.ReLU(), "most": nn.MaxPool2d(2),
        "second": nn.Conv2d(8, 12, 3, padding=1), "after": nn.ReLU(), "mean": nn.AvgPool2d(2),
        "all": nn.AdaptiveAvgPool2d(1), "flat": nn.Flatten(), "head": nn.Linear(12, 3),
    })),
    "vit": VisionTransformer(**size, patch_size=8, embed_dim=24, depth=2, num_heads=2),
    "swin": SwinTransformer(**size, patch_size=2, embed_dim=12, depths=(1, 1), num_heads=(2, 2), window_size=4),
}
images = [torch.randn(3, 32, 32) for _ in range(40)]
examples = [Example(f"<b>{at}</b>", one, at % 3, picture_of_tensor(one)) for at, one in enumerate(images)]
names = ["<img src=x onerror=alert(1)>", "<b>bold</b>", "plain"]
urls = []
for name, model in models.items():
    data = from_python(examples, classes=names)
    out = f"{sys.argv[1]}/{name}.pellucid"
    record = pellucid.inspect(model.eval(), data, out=out, chosen=3, classes=names)
    if name == "net":
        add_features(out, model, data, Asked(stimuli=True, layers=("relu",)))
    urls.append(start(out, live=record.live).url)
print(" ".join(urls), flush=True)
while True:
    time.sleep(60)
`;

describe.skipIf(missing !== "")(`activations and features${missing ? ` (skipped: ${missing})` : ""}`, () => {
  let folder = "";
  let here: LiveStage;
  let [net, vit, swin] = ["", "", ""];

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "pellucid-activations-"));
    here = await stageOf(SERVED, folder);
    [net = "", vit = "", swin = ""] = here.served.split(" ");
  });
  afterAll(async () => {
    await here?.close();
    rmSync(folder, { recursive: true });
  });

  const go = (page: Page, hash: string) =>
    page.evaluate((place) => {
      location.hash = place;
    }, hash);
  /** Nothing that came from a name is markup, nothing was complained of, nothing scrolls sideways. */
  async function sound({ page, complaints }: Visit): Promise<void> {
    expect(await page.locator("main i, main b b, main img[src=x]").count()).toBe(0);
    expect(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth)).toBe(true);
    expect(complaints).toEqual([]);
    await page.context().close();
  }

  it("shows the maps of a layer, a channel at full size, and what it sees", async () => {
    const seen = await visit(here, net, "#/activations?example=2&layer=relu&unit=3");
    const { page } = seen;
    await page.getByRole("img", { name: "Channel 3 at full size" }).waitFor();
    await page.getByText(/^its strongest place sees rows \d+ to \d+, columns \d+ to \d+$/).waitFor();
    await page
      .getByText("that part, 3 × 3 pixels")
      .or(page.getByText(/^that part, [23] × [23] pixels$/))
      .first()
      .waitFor();
    await sound(seen);
  });

  it("lays examples side by side, on one scale", async () => {
    const seen = await visit(here, net, "#/activations?v.activations-view=batch&layer=after&unit=1");
    await seen.page
      .getByRole("img", { name: /^Channel 1 for <b>/ })
      .nth(23)
      .waitFor();
    await sound(seen);
  });

  it("says what each pooling keeps, and weighs the last maps by the head", async () => {
    const seen = await visit(here, net, "#/activations?v.activations-view=pooling&example=1", {
      width: 390,
      dark: true,
    });
    const { page } = seen;
    await page.getByText("this layer takes the maximum").waitFor();
    await page.getByText("this layer takes the average").first().waitFor();
    await page.getByRole("img", { name: "The maps weighed by what the score makes of each mean" }).waitFor();
    const kept = await page.getByText(/^unpooled, [\d.]+% kept$/).allTextContents();
    expect(kept.length).toBeGreaterThanOrEqual(12);
    await page
      .getByRole("img", { name: /before pooling, winners marked$/ })
      .first()
      .waitFor();
    await sound(seen);
  });

  it("measures what a layer really sees against what it can see", async () => {
    const seen = await visit(here, net, "#/activations?v.activations-view=fields&layer=after");
    await seen.page
      .getByText(/^Over 32 examples, half of the gradient lies in \d+ pixels.* has 64 and holds 100/)
      .waitFor();
    await sound(seen);
  });

  it("says how alike layers are", async () => {
    const seen = await visit(here, net, "#/activations?v.activations-view=layers", { width: 390 });
    const matrix = seen.page.getByRole("img", { name: /^Likeness of \d+ layers/ });
    await matrix.press("ArrowDown");
    await seen.page.getByText(/ In hand: /).waitFor();
    const first = new URL(seen.page.url()).hash;
    await matrix.press("ArrowRight");
    await seen.page.waitForURL((url) => url.hash !== first);
    await sound(seen);
  });

  it("places examples of the sample and of the whole, and selects those in a loop", async () => {
    const seen = await visit(here, net, "#/activations?v.activations-view=space&layer=after");
    const { page } = seen;
    const plane = page.getByRole("img", { name: /^40 examples; draw a loop/ });
    await plane.waitFor();
    await page.getByText(/^Across: first principal component, [\d.]+% of the variance/).waitFor();
    await go(page, "#/activations?v.activations-view=space&layer=after&v.many=30");
    await page.getByRole("img", { name: /^30 examples; draw a loop/ }).waitFor();
    await page.getByText("30 examples, spread evenly over 40").waitFor();
    await go(page, "#/activations?v.activations-view=space&layer=after");
    await plane.waitFor();
    const box = await plane.boundingBox();
    if (!box) throw new Error("The plane has no size.");
    const at = async (x: number, y: number) => page.mouse.move(box.x + x * box.width, box.y + y * box.height);
    await at(0.002, 0.002);
    await page.mouse.down();
    for (const [x, y] of [
      [0.5, 0.002],
      [0.998, 0.002],
      [0.998, 0.998],
      [0.5, 0.998],
      [0.002, 0.998],
    ] as const)
      await at(x, y);
    await page.mouse.up();
    await page.waitForURL(/rows=/);
    expect(decodeURIComponent(page.url())).toMatch(/rows=0-39(&|$)/);
    await plane.focus();
    await page.keyboard.press("ArrowRight");
    await page.waitForURL(/example=\d+/);
    await page.keyboard.press("+");
    await page.getByRole("button", { name: "whole", exact: true }).click();
    expect(await page.getByRole("button", { name: "whole", exact: true }).count()).toBe(0);
    await sound(seen);
  });

  it("says nothing of units whose numbers did not come", async () => {
    const { page } = await visit(here, net, "#/overview");
    await page.route(/\/arrays\//, (route) => route.abort());
    await go(page, "#/features?layer=relu");
    const alert = page.locator("main").getByRole("alert");
    await alert.waitFor();
    expect(await page.locator("main a.card").count()).toBe(0);
    expect(await page.locator("main").textContent()).not.toMatch(/never above 0|No unit/);
    await page.unroute(/\/arrays\//);
    await alert.getByRole("button", { name: "Try again" }).click();
    await page.locator("main a.card").first().waitFor();
    await page.context().close();
  });

  it("shows the crops of every unit, its tuning to stimuli and its label", async () => {
    const seen = await visit(here, net, "#/features?layer=relu&unit=2");
    const { page } = seen;
    await page.locator("main a.card[data-unit='7']").waitFor();
    await page.getByText(/\d+ pictures shown, .* forward examples in all/).waitFor();
    await page
      .getByRole("img", { name: /^Response by orientation/ })
      .first()
      .waitFor();
    await page.getByRole("combobox", { name: "layer" }).selectOption("after");
    await page.getByText("No stimuli were shown to this layer").waitFor();
    await sound(seen);
  });

  const PLANES = [
    { tokens: "a ViT's tokens", stage: () => vit, explained: "blocks\\.1", mapped: "blocks\\.1", narrow: "features" },
    {
      tokens: "a Swin's windows",
      stage: () => swin,
      explained: "layers\\.1",
      mapped: "layers\\.0",
      narrow: "gradients",
    },
  ];
  const SHOWN = PLANES.flatMap((plane) => ["gradients", "activations", "features"].map((id) => ({ ...plane, id })));

  it.each(SHOWN)("shows $tokens as maps on the page $id", async ({ stage, id, explained, mapped, narrow }) => {
    const seen = await visit(here, stage(), `#/${id}?example=1`, {
      width: id === narrow ? 390 : 1280,
      dark: id !== narrow,
    });
    const { page } = seen;
    if (id === "gradients") {
      await page.getByRole("img", { name: "Grad-CAM over the input" }).waitFor();
      const map = page.getByRole("img", { name: new RegExp(`^Grad-CAM of ${explained}`) });
      await map.first().waitFor();
    } else if (id === "activations") {
      const channel = page.getByRole("button", { name: new RegExp(`^Channel \\d+ of ${mapped}`) });
      await channel.first().waitFor();
    } else await page.locator("main a.card").first().waitFor();
    await sound(seen);
  });

  it("says where a ViT's class token leaves no position to a CAM, and how far its patches see", async () => {
    const first = await visit(here, vit, "#/gradients?example=1");
    // The head reads the class token alone: the map is of the last layer whose patches it depends on, and no strip.
    await first.page.getByRole("alert").filter({ hasText: "The score reads no position of 'norm'" }).waitFor();
    const sizes = first.page.getByText(/^4 × 4, up to \d/);
    await sizes.first().waitFor();
    await sound(first);
    const second = await visit(here, vit, "#/activations?example=1");
    const fields = second.page.getByText(/4 × 4.*sees (at most )?32 × 32 pixels/);
    await fields.first().waitFor();
    await sound(second);
  });
});
