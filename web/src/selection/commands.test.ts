import { describe, expect, it } from "vitest";
import type { Manifest } from "../record/schema.gen";
import { commandOf, quoted } from "./commands";

const manifest = (model: object, data: object) => ({ model, data }) as unknown as Pick<Manifest, "model" | "data">;

describe("commands", () => {
  it("name weights that are a file of their own, whatever is run", () => {
    const digits = manifest({ source: "demo:Net", weights: "digits.safetensors" }, { source: "digits:test" });
    const loaded = "digits.pellucid --model demo:Net --weights digits.safetensors --data digits:test";
    for (const verb of ["open", "features", "landscape"])
      expect(commandOf(verb, "digits.pellucid", digits)).toBe(`pellucid ${verb} ${loaded}`);
    expect(commandOf("landscape", "digits.pellucid", digits, ["--sharpness"])).toBe(
      `pellucid landscape ${loaded} --sharpness`,
    );
  });

  it("say what is not known, and quote what a shell would take apart", () => {
    expect(commandOf("open", undefined, null)).toBe("pellucid open RECORD --model MODEL --data DATA");
    const odd = manifest({ source: "a b.py:net", weights: "" }, { source: "it's" });
    expect(commandOf("features", "my net", odd, ["--layer", "relu()#2"])).toBe(
      "pellucid features 'my net' --model 'a b.py:net' --data 'it'\\''s' --layer 'relu()#2'",
    );
    const objects = manifest({ source: "" }, { name: "TensorDataset", source: "TensorDataset" });
    expect(commandOf("open", "net.pellucid", objects)).toBe("pellucid open net.pellucid --model MODEL --data DATA");
    const folder = manifest({ source: "net.py:net" }, { name: "photos", source: "photos" });
    expect(commandOf("open", "net.pellucid", folder)).toContain("--data photos");
    expect(quoted("x\ny")).toBe("'x\ny'");
  });
});
