import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { missing, type Stage, stage, visit } from "./harness";

const drawn = (page: Page) => page.locator("main canvas[data-drawn]").first().waitFor();
const camera = (page: Page) => page.getByRole("application").getAttribute("data-camera");
const boxes = (page: Page) => page.getByRole("application").getAttribute("data-boxes");

describe.skipIf(missing !== "")(`the layout's worker${missing ? ` (skipped: ${missing})` : ""}`, () => {
  let here: Stage;
  beforeAll(async () => {
    here = await stage("--examples", "60");
  });
  afterAll(async () => {
    await here?.close();
  });

  for (const kind of ["served", "exported"] as const) {
    it(`starts from the app's own script, ${kind}`, async () => {
      const { page, complaints } = await visit(here, here[kind], "#/graph");
      await drawn(page);
      expect(page.workers().map((worker) => new URL(worker.url()).protocol)).toEqual(["blob:"]);
      expect(Number(await boxes(page))).toBeGreaterThan(3);
      expect(complaints).toEqual([]);
      await page.context().close();
    });

    it(`is done without where none may start, ${kind}, and the drawing is alike`, async () => {
      const withWorker = await visit(here, here[kind], "#/graph");
      await drawn(withWorker.page);
      const { page, complaints } = await visit(here, here[kind], "#/overview");
      await page.evaluate(() => {
        Object.defineProperty(window, "Worker", {
          value: class {
            constructor() {
              throw new Error("not allowed");
            }
          },
        });
        location.hash = "#/graph";
      });
      await drawn(page);
      expect(page.workers()).toEqual([]);
      expect(await boxes(page)).toBe(await boxes(withWorker.page));
      // The camera takes in the whole drawing: it stands alike where the layouts are alike.
      await expect.poll(() => camera(page)).toEqual(await camera(withWorker.page));
      expect(complaints).toEqual([]);
      await page.context().close();
      await withWorker.page.context().close();
    });
  }
});
