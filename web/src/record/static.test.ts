import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { StaticSource, unpack } from "./static";

function page(answers: Record<string, unknown>): ParentNode {
  const tags = Object.entries(answers).map(([path, answer]) => ({
    textContent: `\n${gzipSync(JSON.stringify(answer)).toString("base64")}\n`,
    getAttribute: () => path,
  }));
  return { querySelectorAll: () => tags, querySelector: () => tags[0] ?? null } as unknown as ParentNode;
}

describe("an exported file", () => {
  it("unpacks what was compressed", async () => {
    const bytes = await unpack(gzipSync("</script>").toString("base64"));
    expect(new TextDecoder().decode(bytes)).toBe("</script>");
  });

  it("answers by the paths of the HTTP API, and null for what was left out", async () => {
    const source = new StaticSource(
      page({ manifest: { title: "a" }, left_out: ["Pictures."], "panels/loss": { mean: 1 } }),
    );
    expect((await source.manifest()).title).toBe("a");
    expect(source.leftOut).toEqual(["Pictures."]);
    expect(await source.panel("loss")).toEqual({ mean: 1 });
    expect(await source.panel("confusion")).toBeNull();
    expect(await source.focus(3)).toBeNull();
    expect((await source.live()).available).toBe(false);
  });

  it("says so when it was cut short", async () => {
    await expect(new StaticSource(page({})).summary()).rejects.toThrow(/holds no summary/);
  });
});
