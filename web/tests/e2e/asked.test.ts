import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { missing, type Stage, stage, visit } from "./harness";

const SELECTIONS = ["", "outcome=wrong", "true=3", "losses=0.5..4&class=1", "confidences=0.2..0.6"];
const settled = (page: Page) => page.locator("main :is(.skeleton, .waiting)").first().waitFor({ state: "detached" });

/** The first paragraph with a number that stands out, as one line. */
async function headline(page: Page): Promise<string> {
  const text = await page
    .locator("main p", { has: page.locator("strong") })
    .first()
    .textContent();
  return (text ?? "").replace(/\s+/g, " ").trim();
}

async function go(page: Page, place: string): Promise<void> {
  await page.evaluate((hash) => {
    location.hash = hash;
  }, place);
}

describe.skipIf(missing !== "")(
  `examples that the server is asked about${missing ? ` (skipped: ${missing})` : ""}`,
  () => {
    let at: Stage;

    beforeAll(async () => {
      at = await stage("--examples", "400");
    });
    afterAll(async () => at?.close());

    it("reads the same on every page as examples at hand", async () => {
      const own = await visit(at, at.served);
      const asked = await visit(at, at.served, "#/overview?v.examples=asked");
      await asked.page.reload();
      await asked.page.locator("main h1").waitFor();
      for (const id of ["accuracy", "loss"]) {
        for (const selection of SELECTIONS) {
          const place = `#/${id}?${selection}`;
          await go(own.page, place);
          await go(asked.page, place);
          const count = await own.page.locator(".count").textContent();
          await asked.page.locator(".count", { hasText: count ?? "" }).waitFor();
          await settled(asked.page);
          // The page says which examples have a finite loss; the rest is the same sentence.
          const words = (text: string) => text.replace(" with a finite loss", "").replace(/\(https?:.*|\([A-Z].*$/, "");
          expect(words(await headline(asked.page)).slice(0, 60)).toBe(words(await headline(own.page)).slice(0, 60));
          const facts = (page: Page) =>
            page.getByRole("complementary", { name: "In hand" }).locator("dl, section").first();
          expect(await facts(asked.page).textContent()).toBe(await facts(own.page).textContent());
        }
      }
      await go(asked.page, "#/confusion?outcome=wrong");
      await settled(asked.page);
      await asked.page.locator("main canvas").first().waitFor();
      expect([...own.complaints, ...asked.complaints]).toEqual([]);
    });

    it("lists the rows a page at a time, sorted by the server", async () => {
      const { page, complaints } = await visit(at, at.served, "#/examples?v.examples=asked");
      await page.reload();
      const rows = page.locator("main [role=rowgroup] [role=row]");
      await rows.first().waitFor();
      await page.getByText("1 to 200 of 400").waitFor();
      const losses = async () => {
        const titles = await page.locator("main [role=columnheader]").allTextContents();
        const place = titles.findIndex((title) => title.trim().startsWith("loss"));
        const texts = await rows.evaluateAll(
          (all, at) => all.slice(0, 8).map((row) => row.children[at]?.textContent ?? ""),
          place,
        );
        return texts.map(Number);
      };
      const highest = await losses();
      expect(highest).toEqual([...highest].sort((a, b) => b - a));
      await page.getByRole("button", { name: "after" }).click();
      await page.getByText("201 to 400 of 400").waitFor();
      expect((await losses())[0]).toBeLessThanOrEqual(highest[7] ?? 0);
      await page.getByRole("button", { name: /^loss/ }).click();
      await page.getByText("1 to 200 of 400").waitFor();
      await settled(page);
      const lowest = await losses();
      expect(lowest).toEqual([...lowest].sort((a, b) => a - b));
      expect(complaints).toEqual([]);
    });
  },
);
