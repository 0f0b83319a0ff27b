import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type LiveStage, missing, stageOf, visit } from "./harness";

const EXAMPLES = 64;

const INSPECTED = `
import sys

import torch
from torch import nn

import pellucid
from pellucid.data import open_data
from pellucid.server import serve

torch.manual_seed(0)
torch.set_num_threads(1)
model = nn.Sequential(
    nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 12, 3, padding=1), nn.ReLU(),
    nn.Flatten(), nn.Linear(192, 10),
)
data = open_data("digits:test", limit=${EXAMPLES})
record = pellucid.inspect(model, data, out=sys.argv[1], chosen=4)
serve(record.path, open_browser=False, live=record.live, announce=lambda url: print(url, flush=True))
`;

/** Takes as many steps as each line asks for; "end" ends the training, and the server goes on. */
const TRAINING = `
import sys

import torch
from torch import nn

import pellucid
from pellucid.server import start
from pellucid.watch.journal import Journal

torch.manual_seed(0)
torch.set_num_threads(1)
Journal.due = lambda self, now: True  # every step is a part on the disk
model = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 3))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
with pellucid.watch(model, optimizer, out=sys.argv[1], every=1, histograms_every=1) as watch:
    print(start(sys.argv[1]).url, flush=True)
    for line in sys.stdin:
        if line.strip() == "end":
            break
        for _ in range(int(line)):
            inputs, targets = torch.randn(8, 4), torch.randint(3, (8,))
            outputs = model(inputs)
            loss = nn.functional.cross_entropy(outputs, targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.observe(outputs, targets, loss)
sys.stdin.read()
`;

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "pellucid-live-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

const facts = (page: Page) => page.locator("main .facts");
const saliency = (page: Page) =>
  page
    .getByRole("img", { name: "Saliency of the input" })
    .locator("canvas")
    .evaluate((canvas: HTMLCanvasElement) => canvas.toDataURL());

/** Takes an example in hand by its address, and waits for its closer look. */
async function look(page: Page, hash: string): Promise<string> {
  await page.evaluate((place) => {
    location.hash = place;
  }, hash);
  await facts(page).waitFor();
  return (await facts(page).textContent()) ?? "";
}

describe.skipIf(missing !== "")(`with the model at hand${missing ? ` (skipped: ${missing})` : ""}`, () => {
  let here: LiveStage;

  beforeAll(async () => {
    here = await stageOf(INSPECTED, join(folder, "inspected.pellucid"));
  });
  afterAll(() => here?.close());

  async function chosen(page: Page): Promise<number[]> {
    await page.locator("main .strip a").first().waitFor();
    return page
      .locator("main .strip a")
      .evaluateAll((links) => links.map((link) => Number(/example=(\d+)/.exec((link as HTMLAnchorElement).href)?.[1])));
  }

  it("shows maps of an example that was not chosen, computed now, on both pages", async () => {
    const { page, complaints } = await visit(here, here.served, "#/gradients");
    const stored = await chosen(page);
    expect(stored).toHaveLength(4);
    await page.getByText("Any other example is computed when you take it in hand.").waitFor();
    const before = await saliency(page);
    const other = Array.from({ length: EXAMPLES }, (_, row) => row).find((row) => !stored.includes(row));
    await look(page, `#/gradients?example=${other}`);
    await page.locator(`main [data-map="${other}"]`).waitFor();
    expect(await saliency(page)).not.toBe(before);
    await page
      .getByRole("img", { name: /^Grad-CAM of \d/ })
      .nth(1)
      .waitFor();
    await page.locator('nav a[href^="#/activations"]').first().click();
    await page.locator("main .facts", { hasText: "computed now" }).waitFor();
    const maps = page.getByRole("button", { name: /^Channel \d+ of / });
    expect(await maps.count()).toBeGreaterThan(10);
    expect(await maps.locator(".ring").count()).toBe(await maps.count());
    expect(complaints).toEqual([]);
    await page.context().close();
  });

  it("explains another class, and another example by its own prediction again", async () => {
    const { page, complaints } = await visit(here, here.served, "#/gradients");
    const [row = 0] = await chosen(page);
    await look(page, `#/gradients?example=${row}`);
    const own = await saliency(page);
    const select = page.getByRole("combobox", { name: "class", exact: true });
    const predicted = Number(await select.inputValue());
    const other = (predicted + 1) % 10;
    await select.selectOption(String(other));
    await page.waitForURL(new RegExp(`example=${row}&explained=${other}$`));
    await page.locator("main .facts", { hasText: new RegExp(`explained: ${other} at logit .*computed now`) }).waitFor();
    expect(await saliency(page)).not.toBe(own);
    await select.selectOption(String(predicted));
    await page.locator("main .facts", { hasText: new RegExp(`explained: ${predicted} at logit`) }).waitFor();
    expect(await saliency(page)).toBe(own);
    await page.locator("main .strip a").nth(1).click();
    await page.waitForURL((url) => !url.hash.includes("explained"));
    expect(complaints).toEqual([]);
    await page.context().close();
  });
});

describe.skipIf(missing !== "")(`a run that is still going${missing ? ` (skipped: ${missing})` : ""}`, () => {
  let here: LiveStage;

  beforeAll(async () => {
    here = await stageOf(TRAINING, join(folder, "run.pellucid"));
  });
  afterAll(() => here?.close());

  it("grows on Training and Histograms without a reload", async () => {
    const { page, complaints } = await visit(here, here.served, "#/training");
    await page.getByText("The Watch is on; what it sees comes here by itself").waitFor();
    await page.evaluate(() => {
      document.body.dataset.opened = "once";
    });
    here.tell("3");
    const map = (steps: number) => page.getByRole("button", { name: new RegExp(`of 2 layers over ${steps} steps;`) });
    await map(3).waitFor();
    expect(await page.locator("main section h2").allTextContents()).toEqual(
      expect.arrayContaining(["Loss", "Accuracy"]),
    );
    here.tell("4");
    await map(7).waitFor();
    await page.getByRole("button", { name: "Table", exact: true }).click();
    const rows = page.getByRole("table", { name: "training" }).locator("[role=row][aria-rowindex]");
    await rows.nth(6).waitFor();
    expect(await rows.count()).toBe(7);
    await page.locator('nav a[href^="#/histograms"]').first().click();
    await page.getByRole("button", { name: "one layer over training" }).click();
    const ridges = page.locator("main svg a");
    await ridges.nth(6).waitFor();
    here.tell("2");
    await ridges.nth(8).waitFor();
    expect(await ridges.count()).toBe(9);
    await page.locator('nav a[href^="#/overview"]').first().click();
    const going = page.getByRole("status").filter({ hasText: "The training is still running" });
    await going.waitFor();
    here.tell("end");
    await going.waitFor({ state: "detached" });
    expect(await page.evaluate(() => document.body.dataset.opened)).toBe("once");
    expect(complaints).toEqual([]);
    await page.context().close();
  });
});
