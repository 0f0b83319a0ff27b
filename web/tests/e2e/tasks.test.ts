import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type LiveStage, missing, stageOf, visit } from "./harness";

/** A regression or a model of sets of classes, with the model at hand or without. */
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
folder, task, at_hand = sys.argv[1:]
numbers = task == "regression"
model = nn.Sequential(
    nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 1 if numbers else 3),
)
items = [
    (torch.randn(1, 16, 16), row / 3 if numbers else {place for place in range(3) if row >> place & 1}) for row in range(8)
]
names = None if numbers else ["cat", "dog", "hat"]
record = pellucid.inspect(model, items, out=f"{folder}/{task}.pellucid", chosen=3, classes=names)
serve(
    record.path, open_browser=False, live=record.live if at_hand == "live" else None,
    announce=lambda url: print(url, flush=True),
)
`;

const ready = (page: Page, method: string) =>
  page.locator(`main [data-method="${method}"][data-status="ready"]`).waitFor();
const facts = (page: Page, text: RegExp) => page.locator("main .facts", { hasText: text }).waitFor();
const choices = (page: Page, name: string) =>
  page.getByRole("combobox", { name, exact: true }).locator("option").allTextContents();

describe.skipIf(missing !== "")(`other tasks than classification${missing ? ` (skipped: ${missing})` : ""}`, () => {
  let folder = "";
  let here: LiveStage | null = null;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "pellucid-tasks-"));
  });
  afterEach(async () => {
    await here?.close();
    here = null;
    rmSync(folder, { recursive: true });
  });

  it("have maps of the output of a regression, and name no class", async () => {
    here = await stageOf(SERVED, folder, "regression", "live");
    const { page, complaints } = await visit(here, here.served, "#/gradients?example=3");
    for (const plain of ["grad_cam", "saliency", "cam"]) await ready(page, plain);
    await facts(page, /target 1; explained: the output, [−\d.]+, computed now/);
    expect((await choices(page, "explain"))[0]).toBe("the output");
    expect(await page.getByRole("combobox", { name: "class", exact: true }).count()).toBe(0);
    await page.getByRole("combobox", { name: "explain" }).selectOption("loss");
    await facts(page, /explained: the squared error, [\d.]+, computed now/);
    await page.evaluate(() => {
      location.hash = "#/activations?example=4";
    });
    await facts(page, /explained: the output, [−\d.]+/);
    expect(await page.locator("main").textContent()).not.toMatch(/unknown/);
    expect(complaints).toEqual([]);
    await page.context().close();
  });

  it("have maps of any class of a set", async () => {
    here = await stageOf(SERVED, folder, "multilabel", "live");
    const { page, complaints } = await visit(here, here.served, "#/gradients?example=6");
    for (const plain of ["grad_cam", "saliency", "cam"]) await ready(page, plain);
    await facts(page, /true classes dog, hat, called .*; explained: (cat|dog|hat) at logit [−\d.]+, computed now/);
    const listed = await choices(page, "class");
    expect(listed.filter((text) => text.includes("(strongest)"))).toHaveLength(1);
    expect(listed.map((text) => text.includes("(true)"))).toEqual([false, true, true]);
    for (const name of ["cat", "dog"]) {
      await page.getByRole("combobox", { name: "class", exact: true }).selectOption({ index: name === "cat" ? 0 : 1 });
      await facts(page, new RegExp(`explained: ${name} at logit`));
    }
    await page.getByRole("combobox", { name: "explain" }).selectOption("loss");
    await page.getByText("the binary cross-entropy, its mean over the classes").waitFor();
    await facts(page, /explained: the loss, [\d.]+ nats/);
    expect(complaints).toEqual([]);
    await page.context().close();
  });

  it("have the maps that the record keeps where no model is at hand", async () => {
    here = await stageOf(SERVED, folder, "regression", "stored");
    const { page, complaints } = await visit(here, here.served, "#/gradients");
    await page.getByText("3 examples were looked at closely when the record was made.").waitFor();
    await facts(page, /target [\d.]+; explained: the output, [−\d.]+$/);
    await page.getByRole("img", { name: "Grad-CAM of 1" }).waitFor();
    expect(complaints).toEqual([]);
    await page.context().close();
  });
});
