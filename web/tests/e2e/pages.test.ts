import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { missing, type Stage, stage, visit } from "./harness";
import { chip, go, inHand, says, selected } from "./looking";

describe.skipIf(missing !== "")(`the pages${missing ? ` (skipped: ${missing})` : ""}`, () => {
  let here: Stage;

  beforeAll(async () => {
    here = await stage("--examples", "300");
  });
  afterAll(() => here?.close());

  it("say whether the model suits other data, and what that rests on", async () => {
    const { page, complaints } = await visit(here, here.served, "#/fit");
    await page
      .getByRole("region", { name: "verdict" })
      .getByRole("heading", { name: "preprocess differently" })
      .waitFor();
    const meant = page.getByRole("region", { name: "preparation" }).getByRole("row", { name: /channels reversed/ });
    await meant.getByText("likely meant").waitFor();
    const labels = page.getByRole("region", { name: "labels" });
    await labels.getByText("whether they are the same cannot be told").waitFor();
    await labels.getByText("cannot be told: numbers alone").waitFor();
    await page.getByRole("region", { name: "likeness" }).getByText("to the right fits better").waitFor();
    await page.getByRole("button", { name: "Table" }).click();
    await page
      .getByRole("row", { name: /strangeness, nats/ })
      .first()
      .waitFor();
    expect(complaints).toEqual([]);
    await page.context().close();
  });

  it("take a class from its dot on Accuracy, as true class or as prediction", async () => {
    const { page } = await visit(here, here.served, "#/accuracy");
    const dot = page.getByRole("group", { name: "recall by class" }).getByRole("link", { name: /^3, / });
    const [, right, count] = /, (\d+) of (\d+) of this class/.exec((await dot.getAttribute("aria-label")) ?? "") ?? [];
    await dot.click();
    await page.waitForURL(/#\/accuracy\?true=3$/);
    expect(await selected(page)).toBe(Number(count));
    await says(page, `of the selected ${count} examples are right: ${right} right`);
    await page.getByRole("button", { name: "Clear true 3" }).click();
    await page.getByRole("button", { name: "precision", exact: true }).click();
    const given = page.getByRole("group", { name: "precision by class" }).getByRole("link", { name: /^9, / });
    const predicted = / of (\d+) that were given this class/.exec((await given.getAttribute("aria-label")) ?? "")?.[1];
    await given.click();
    await page.waitForURL(/predicted=9/);
    expect(await selected(page)).toBe(Number(predicted));
    await page.context().close();
  });

  it("open whatever an address says", async () => {
    const { page, complaints } = await visit(
      here,
      here.served,
      "#/accuracy?v.accuracy-measure=zzz&v.rank=zzz&v.beta=zzz",
    );
    const shows = async (hash: string, text: string | RegExp) => {
      await page.evaluate((to) => {
        location.hash = to;
      }, hash);
      await page.getByText(text).first().waitFor();
      expect(await page.getByRole("alert").count(), hash).toBe(0);
    };
    await shows("#/accuracy?v.accuracy-measure=zzz", "Recall of each class");
    await shows("#/accuracy?v.part=curves&v.of=999&v.from=zzz", "Precision and recall");
    await shows("#/histograms?v.kind=constructor", "value of the activation");
    await shows("#/confusion?v.divide=zzz&v.order=zzz", "What does it take for what?");
    await shows("#/examples?v.sort=zzz-down", "Show me.");
    await shows("#/training?step=99999&v.quantity=zzz", /Step 99,999 was not recorded/);
    await shows("#/gradients?example=99999", /No example 99,999 is in this record/);
    expect(complaints).toEqual([]);
    await page.context().close();
  });

  it("select a range of losses by dragging, from end to end all of them", async () => {
    const { page } = await visit(here, here.served, "#/loss");
    const histogram = page.getByRole("img", { name: /^Distribution of the loss/ });
    const box = await histogram.boundingBox();
    const { x, y, width } = { x: 0, y: 0, width: 0, ...box };
    const drag = async (from: number, to: number) => {
      await page.mouse.move(x + from * width, y + 80);
      await page.mouse.down();
      await page.mouse.move(x + to * width, y + 80, { steps: 3 });
      await page.mouse.up();
    };
    await drag(0.7, 0.98);
    await page.waitForURL(/losses=/);
    const [low = 0, high = 0] = decodeURIComponent(/losses=([^&]*)/.exec(page.url())?.[1] ?? "")
      .split("..")
      .map(Number);
    const some = await selected(page);
    expect(some).toBeGreaterThan(0);
    expect(some).toBeLessThan(300);
    await says(page, `of the selected ${some} examples`);
    await go(page, "examples");
    await page.getByRole("button", { name: "List" }).click();
    const losses = await page
      .getByRole("table", { name: "examples" })
      .locator("[role=row][aria-rowindex]")
      .evaluateAll((rows) => rows.map((row) => Number(row.children[3]?.textContent)));
    expect(losses.length).toBeGreaterThan(5);
    for (const loss of losses) {
      expect(loss).toBeGreaterThanOrEqual(low * 0.995);
      expect(loss).toBeLessThanOrEqual(high * 1.005);
    }
    await go(page, "loss");
    await drag(0.99, -0.1);
    await page.waitForURL(/losses=0\.\./);
    await drag(-0.1, 1.1);
    await page.waitForFunction(() => document.querySelector("[aria-label=Selection] strong")?.textContent === "300");
    await page.mouse.click(x + width / 2, y + 80);
    await page.waitForURL((url) => !url.hash.includes("losses"));
    await page.context().close();
  });

  it("select each bin of confidence with as many examples as it says, and put it down again", async () => {
    const { page } = await visit(here, here.served, "#/accuracy?v.part=confidence");
    const reliability = page.getByRole("group", { name: /^Reliability/ });
    await reliability.getByRole("link").first().waitFor();
    const labels = await reliability
      .getByRole("link")
      .evaluateAll((links) => links.map((link) => link.getAttribute("aria-label") ?? ""));
    expect(labels).toHaveLength(15);
    const counts = labels.map((label) => Number(/: (\d+) example/.exec(label)?.[1]));
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(300);
    for (const [index, count] of counts.entries()) {
      if (count === 0) continue;
      const bin = reliability.getByRole("link").nth(index);
      await bin.click();
      await page.waitForURL(/confidences=/);
      expect(await selected(page), labels[index]).toBe(count);
      await bin.click();
      await page.waitForURL((url) => !url.hash.includes("confidences"));
    }
    await page.context().close();
  });

  for (const kind of ["served", "exported"] as const) {
    it(`look closely at an example that was clicked on Loss, ${kind}`, async () => {
      const { page, complaints } = await visit(here, here[kind], "#/loss");
      // The synthetic record looks closely at those with the highest loss.
      await page.locator("main ul.worst a").first().click();
      await page.waitForURL(/example=\d+/);
      const id = (await inHand(page).locator("h2").first().textContent()) ?? "";
      expect(id).toMatch(/^digit-\d+$/);
      await inHand(page).getByRole("link", { name: "What did the answer depend on?" }).click();
      await page.waitForURL(/#\/gradients\?example=\d+$/);
      await page.locator("main .facts", { hasText: id }).waitFor();
      await page.getByRole("img", { name: "Saliency of the input" }).waitFor();
      await page.getByRole("img", { name: "Gradient × input of the input" }).waitFor();
      for (const layer of ["features.1", "features.4", "features.7"])
        await page.getByRole("img", { name: `Grad-CAM of ${layer}` }).waitFor();
      await page.getByText("2 layers can have no Grad-CAM").waitFor();
      // Drawn, not blank: a saliency has more than one colour.
      expect(
        await page
          .getByRole("img", { name: "Saliency of the input" })
          .locator("canvas")
          .evaluate((canvas: HTMLCanvasElement) => {
            const pixels = canvas.getContext("2d")?.getImageData(0, 0, canvas.width, canvas.height).data ?? [];
            return new Set(new Uint32Array(Uint8ClampedArray.from(pixels).buffer)).size;
          }),
      ).toBeGreaterThan(20);
      await go(page, "activations");
      for (const layer of ["features.1", "features.4", "features.7"]) {
        const maps = page.getByRole("button", { name: new RegExp(`^Channel \\d+ of ${layer.replace(".", "\\.")}$`) });
        expect(await maps.count()).toBe(12);
        expect(await maps.locator(".ring").count()).toBe(12);
      }
      await page.getByRole("button", { name: "Values of classifier.2" }).waitFor();
      expect(complaints).toEqual([]);
      await page.context().close();
    });
  }

  it("mark the strongest place of a channel where its map is brightest", async () => {
    const { page } = await visit(here, here.served, "#/activations");
    const map = page.getByRole("button", { name: /^Channel \d+ of features\.7$/ }).first();
    const apart = await map.evaluate((button) => {
      const canvas = button.querySelector("canvas");
      const ring = button.querySelector<HTMLElement>(".ring");
      const pixels = canvas?.getContext("2d")?.getImageData(0, 0, canvas.width, canvas.height).data;
      if (!canvas || !ring || !pixels) return Number.NaN;
      // Viridis grows lighter with the value.
      const light = (at: number) => (pixels[4 * at] ?? 0) + 2 * (pixels[4 * at + 1] ?? 0);
      let best = 0;
      for (let at = 0; at < canvas.width * canvas.height; at++) if (light(at) > light(best)) best = at;
      const at = [(best % canvas.width) + 0.5, Math.floor(best / canvas.width) + 0.5] as const;
      const column = (Number.parseFloat(ring.style.left) / 100) * canvas.width;
      const row = (Number.parseFloat(ring.style.top) / 100) * canvas.height;
      return Math.hypot(column - at[0], row - at[1]);
    });
    expect(apart).toBeLessThan(0.01);
    await page.context().close();
  });

  it("carry a layer from Activations to Histograms, Gradients and Graph, and put down another layer's unit", async () => {
    const { page } = await visit(here, here.served, "#/activations?layer=features.1&unit=2");
    await page.getByRole("link", { name: "All layers" }).click();
    await page.locator("main section.layer header").getByRole("link", { name: "features.7", exact: true }).click();
    await page.waitForURL(/#\/activations\?layer=features\.7$/);
    expect(await page.locator("main section.layer").count()).toBe(1);
    await inHand(page).getByRole("heading", { name: "features.7" }).waitFor();
    await go(page, "histograms");
    expect(await page.locator("main svg a[aria-current=true]").getAttribute("aria-label")).toMatch(/^features\.7:/);
    await go(page, "gradients");
    await page.locator("main figure.current", { hasText: "features.7" }).waitFor();
    await go(page, "graph");
    await page.getByRole("button", { name: "Outline" }).click();
    const current = page.getByRole("treeitem", { selected: true });
    await current.waitFor();
    expect(await current.count()).toBe(1);
    expect(await current.getByRole("link").getAttribute("title")).toBe("features.7");
    await page.getByRole("treeitem").getByTitle("classifier.1", { exact: true }).click();
    await page.waitForURL(/#\/graph\?layer=classifier\.1&v\.outline=1$/);
    await go(page, "histograms");
    await page.locator("main svg a", { hasText: "features.4" }).click();
    await page.waitForURL(/#\/histograms\?layer=features\.4&/);
    await page.context().close();
  });

  it("show a layer that the address names, however late the manifest comes", async () => {
    const { page } = await visit(here, here.served, "#/graph?layer=features.7&v.outline=1");
    let answer = () => {};
    const asked = new Promise<void>((resolve) => {
      answer = resolve;
    });
    await page.route("**/api/manifest", async (route) => {
      await asked;
      await route.continue();
    });
    await page.reload({ waitUntil: "commit" });
    // The inspector already speaks of the layer while the page still waits.
    await inHand(page).getByRole("heading", { name: "features.7", exact: true }).waitFor();
    await page.getByLabel("Reading the record").waitFor();
    answer();
    await page.getByRole("treeitem", { selected: true }).waitFor();
    await inHand(page).getByText("64 × 7 × 7", { exact: true }).waitFor();
    await page.context().close();
  });

  it("carry a unit, and show what excites it most", async () => {
    const { page } = await visit(here, here.served, "#/activations?layer=features.4");
    await page.getByRole("link", { name: /^Unit 5: strongest response/ }).click();
    await page.waitForURL(/#\/activations\?layer=features\.4&unit=5$/);
    await page.getByText("Unit 5 responds most strongly to").waitFor();
    await page.locator("main .best a").nth(8).waitFor();
    expect(await page.locator("main .best a").count()).toBe(9);
    await inHand(page).getByRole("heading", { name: "features.4 · unit 5" }).waitFor();
    for (const id of ["histograms", "gradients", "graph"]) {
      await go(page, id);
      expect(page.url()).toMatch(/layer=features\.4&unit=5$/);
      await chip(page, "unit 5").waitFor();
    }
    await inHand(page).getByRole("link", { name: "The 9 examples it answers to most" }).click();
    await page.getByRole("list", { name: /^9 examples/ }).waitFor();
    await page.context().close();
  });

  it("fold the outline without a trace in the URL", async () => {
    const { page } = await visit(here, here.served, "#/graph?layer=classifier.2&v.outline=1");
    const items = page.getByRole("treeitem");
    await items.first().waitFor();
    const before = await items.count();
    const url = page.url();
    await page.getByRole("button", { name: "Fold features" }).click();
    await page.getByRole("button", { name: "Unfold features" }).waitFor();
    // Three blocks of convolution, ReLU and pooling stand behind one row.
    expect(await items.count()).toBe(before - 9);
    expect(page.url()).toBe(url);
    await page.getByRole("button", { name: "Unfold features" }).click();
    await page.getByRole("button", { name: "Fold features" }).waitFor();
    expect(await items.count()).toBe(before);
    await page.context().close();
  });

  it("take a step from a curve and from the map of layers, and mark it on Histograms", async () => {
    const { page, complaints } = await visit(here, here.served, "#/training");
    const plot = page.locator("main .u-over").first();
    const { width, height } = { width: 0, height: 0, ...(await plot.boundingBox()) };
    await plot.click({ position: { x: width / 2, y: height / 2 } });
    await page.waitForURL(/step=(290|300)$/);
    await page.getByText(/^Step (290|300) is in hand/).waitFor();
    const map = page.getByRole("button", { name: /click to take a layer and a step in hand$/ });
    const size = { width: 0, ...(await map.boundingBox()) };
    // The third of five layers, the 34th of 60 steps.
    await map.click({ position: { x: (33.5 / 60) * size.width, y: 50 } });
    await page.waitForURL(/layer=features\.6&step=330$/);
    await page.getByRole("link", { name: "see its histograms" }).click();
    await page.getByRole("button", { name: "one layer over training" }).click();
    await page.waitForURL(/v\.over=steps/);
    expect(await page.getByRole("combobox", { name: "layer" }).inputValue()).toBe("features.6");
    const marked = page.locator("main svg a[aria-current=true]");
    // Histograms were taken at every fiftieth step: the nearest one stands for 330.
    expect(await marked.evaluateAll((links) => links.map((link) => link.getAttribute("aria-label")))).toEqual([
      "step 350: 17.5 s",
    ]);
    await page.locator("main svg a", { hasText: /^step 100/ }).click();
    await page.waitForURL(/step=100/);
    expect(await marked.getAttribute("aria-label")).toMatch(/^step 100:/);
    expect(complaints).toEqual([]);
    await page.context().close();
  });

  for (const kind of ["served", "exported"] as const) {
    it(`say what would show an example that was not chosen, ${kind}`, async () => {
      const { page, complaints } = await visit(here, here[kind], "#/gradients");
      await page.locator("main .strip a").first().waitFor();
      const chosen = new Set(
        await page
          .locator("main .strip a")
          .evaluateAll((links) =>
            links.map((link) => Number(/example=(\d+)/.exec((link as HTMLAnchorElement).href)?.[1])),
          ),
      );
      expect(chosen.size).toBe(12);
      const other = Array.from({ length: 300 }, (_, row) => row).find((row) => !chosen.has(row));
      await page.evaluate((row) => {
        location.hash = `#/gradients?example=${row}`;
      }, other);
      for (const id of ["gradients", "activations"]) {
        await go(page, id);
        const empty = page.locator("main .empty");
        await empty
          .getByText(`A closer look at example digit-${String(other).padStart(5, "0")} would be here.`)
          .waitFor();
        await empty.getByText("It was not among the chosen ones, and no model is at hand.").waitFor();
        expect(await empty.locator("pre").textContent()).toMatch(
          /^pellucid open drawn\.pellucid --model \S+ --data \S+$/,
        );
      }
      // Another class than the stored one is nothing that was stored either.
      await page.evaluate((row) => {
        location.hash = `#/gradients?example=${row}&explained=0`;
      }, other);
      await page.locator("main .empty").waitFor();
      expect(complaints).toEqual([]);
      await page.context().close();
    });
  }
});

describe.skipIf(missing !== "")(
  `pages of a record without Watch and focus${missing ? ` (skipped: ${missing})` : ""}`,
  () => {
    let here: Stage;

    beforeAll(async () => {
      here = await stage("--examples", "60", "--no-watch", "--focus", "0");
    });
    afterAll(() => here?.close());

    for (const kind of ["served", "exported"] as const) {
      it(`teach how to have them, ${kind}`, async () => {
        const { page, complaints } = await visit(here, here[kind], "#/training");
        const empty = page.locator("main .empty");
        await empty.getByText("No Watch was on while this model trained.").waitFor();
        expect(await empty.locator("pre").textContent()).toBe("with pellucid.watch(model, optimizer, out=RECORD): ...");
        await page.evaluate(() => {
          location.hash = "#/histograms?v.over=steps";
        });
        await empty.getByText("No Watch recorded them in this record.").waitFor();
        for (const id of ["gradients", "activations"]) {
          await go(page, id);
          await empty.getByText("The record chose none.").waitFor();
          expect(await empty.locator("pre").textContent()).toMatch(/^pellucid inspect .* --chosen 48$/);
        }
        expect(complaints).toEqual([]);
        await page.context().close();
      });
    }
  },
);
