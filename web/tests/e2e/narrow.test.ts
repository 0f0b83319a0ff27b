import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { missing, PAGE_IDS, type Stage, stage, stageOf, visit } from "./harness";

/** Saved predictions whose names are long, with labels that the model disputes and columns named as strangers would. */
const IMPORTED = `
import sys, tempfile
import numpy as np
from pellucid.predictions import import_predictions
from pellucid.server import serve
random = np.random.default_rng(5)
names = ["x" * 300, "very long name " * 12, "\u202egnihton", "<b>bold</b>", "e"]
labels = random.integers(0, 5, 400)
scores = random.normal(size=(400, 5))
scores[np.arange(400), np.where(np.arange(400) % 4 == 0, (labels + 1) % 5, labels)] += 7
with tempfile.TemporaryDirectory() as folder:
    import_predictions(scores, labels, out=folder + "/r.pellucid", classes=names, kind="logits")
    serve(folder + "/r.pellucid", open_browser=False, announce=lambda url: print(url, flush=True))
`;

/** A training whose loop logs a number under a long name. */
const WATCHED = `
import tempfile
import torch
import pellucid
from pellucid.server import serve
model = torch.nn.Linear(2, 2)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
with tempfile.TemporaryDirectory() as folder:
    with pellucid.watch(model, optimizer, out=folder + "/r.pellucid") as watch:
        for step in range(3):
            model(torch.ones(1, 2)).sum().backward()
            optimizer.step()
            watch.log(**{"x" * 300: step})
    serve(folder + "/r.pellucid", open_browser=False, announce=lambda url: print(url, flush=True))
`;

describe.skipIf(missing !== "")(
  `hostile names on screens of every width${missing ? ` (skipped: ${missing})` : ""}`,
  () => {
    let here: Stage;

    beforeAll(async () => {
      here = await stage("--hostile", "--examples", "120");
    });
    afterAll(() => here?.close());

    for (const width of [1280, 900, 390]) {
      it(`scrolls nothing sideways at ${width} pixels, and runs nothing that a name says`, async () => {
        const { page, complaints } = await visit(here, width === 900 ? here.served : here.exported, "#/overview", {
          width,
          dark: width === 390,
        });
        for (const id of PAGE_IDS) {
          await page.evaluate(
            (place) => {
              location.hash = place;
            },
            `#/${id}?true=0&example=3&layer=${encodeURIComponent("</script><img src=x onerror=alert(1)>.4")}&unit=1`,
          );
          await page.locator(`nav a[aria-current=page][href^="#/${id}?"]`).waitFor({ state: "attached" });
          await page.waitForLoadState("networkidle");
          const [inner, outer] = await page.evaluate(() => {
            const main = document.querySelector("main");
            return [
              Math.max(document.documentElement.scrollWidth - innerWidth, 0),
              (main?.scrollWidth ?? 0) - (main?.clientWidth ?? 0),
            ];
          });
          expect([inner, outer], id).toEqual([0, 0]);
          expect(await page.locator("img[src=x]").count(), id).toBe(0);
          expect(await page.locator("main [role=alert]").allTextContents(), id).toEqual([]);
        }
        expect(complaints).toEqual([]);
        await page.context().close();
      });
    }

    it("shows a class that looks like markup as its text", async () => {
      const { page } = await visit(here, here.served, "#/examples?true=0");
      await page.getByTitle("Change: true </script><img src=x onerror=alert(1)>").waitFor();
      expect(await page.title()).toContain("Examples");
      await page.context().close();
    });

    it("gives names of 300 letters no more room than there is, where labels are disputed and classes confused", async () => {
      const imported = await stageOf(IMPORTED);
      try {
        for (const width of [1280, 390]) {
          const { page, complaints } = await visit(imported, imported.served, "#/loss", { width });
          for (const id of ["loss", "confusion", "accuracy", "examples"]) {
            await page.evaluate((place) => {
              location.hash = place;
            }, `#/${id}`);
            await page.locator(`nav a[aria-current=page][href^="#/${id}"]`).waitFor({ state: "attached" });
            await page.waitForLoadState("networkidle");
            if (id === "loss") await page.getByText("labels of 400 examples are disputed").waitFor();
            const wider = await page.evaluate(() => {
              const main = document.querySelector("main");
              return (main?.scrollWidth ?? 0) - (main?.clientWidth ?? 0);
            });
            expect(wider, `${id} at ${width}`).toBe(0);
            expect(await page.locator("main").innerText(), id).not.toContain("\u202e");
          }
          expect(complaints).toEqual([]);
          await page.context().close();
        }
      } finally {
        await imported.close();
      }
    });

    it("gives the curve of a number with a name of 300 letters no more room than there is", async () => {
      const watched = await stageOf(WATCHED);
      try {
        for (const width of [1280, 390]) {
          const { page, complaints } = await visit(watched, watched.served, "#/training", { width });
          await page.getByRole("heading", { name: "x".repeat(300) }).waitFor();
          await page.locator(".u-legend").last().waitFor();
          const wider = await page.evaluate(() => {
            const main = document.querySelector("main");
            return (main?.scrollWidth ?? 0) - (main?.clientWidth ?? 0);
          });
          expect(wider, `at ${width}`).toBe(0);
          expect(complaints).toEqual([]);
          await page.context().close();
        }
      } finally {
        await watched.close();
      }
    });

    it("brings an example up as a sheet, and none that the record does not have", async () => {
      const { page } = await visit(here, here.exported, "#/examples", { width: 390 });
      const take = (example: number) =>
        page.evaluate((place) => {
          location.hash = place;
        }, `#/examples?example=${example}`);
      await take(999_999);
      await page.getByText("No example 999,999 is in this record").waitFor();
      expect(await page.locator(".frame.sheet").count()).toBe(0);
      await take(1);
      await page.locator(".frame.sheet").waitFor();
      await page.context().close();
    });

    it("reaches every page from the bottom bar", async () => {
      const { page } = await visit(here, here.exported, "#/overview", { width: 390 });
      await page.getByRole("button", { name: "More" }).click();
      await page.getByRole("link", { name: "Histograms" }).click();
      await page.waitForURL(/#\/histograms/);
      await page.getByRole("link", { name: "Histograms" }).waitFor();
      await page.context().close();
    });
  },
);
