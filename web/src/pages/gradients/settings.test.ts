import { describe, expect, it } from "vitest";
import type { MethodInfo, MethodOption } from "../../record/schema.gen";
import { defaultOf, optionsOf, priceOf, settingsOf, withoutSettings, withSetting } from "./settings";

const option = (part: Partial<MethodOption>): MethodOption => ({
  name: "masks",
  default: "1000",
  kind: "integer",
  choices: [],
  unset: "",
  unit: "",
  does: "",
  ...part,
});
const OPTIONS = [
  option({}),
  option({ name: "visible", default: "0.5", kind: "number" }),
  option({ name: "window", default: "null", kind: "extents", unset: "an eighth" }),
  option({ name: "query", default: "null", kind: "integer", choices: ["mean"], unset: "the class token" }),
  option({ name: "relu", default: "true", kind: "flag" }),
  option({ name: "baseline", default: '"zero"', kind: "choice", choices: ["zero", "blur"] }),
];
const INFO = {
  name: "rise",
  price: "1000 forwards",
  price_of: "{masks} forwards",
  options: OPTIONS,
} as unknown as MethodInfo;
const sent = (settings: Record<string, string>) => JSON.parse(optionsOf(INFO, settings)) as unknown;

describe("settings of a method", () => {
  it("stand in the address under its name, and those of others are not its own", () => {
    const view = { "rise.masks": "40", "rise.visible": "0.1", "rises.masks": "7", method: "rise" };
    expect(settingsOf("rise", view)).toEqual({ masks: "40", visible: "0.1" });
    expect(withoutSettings(view, "rise")).toEqual({ "rises.masks": "7", method: "rise" });
  });

  it("are forgotten where they are the default", () => {
    const [masks, , window, , relu] = OPTIONS as [MethodOption, MethodOption, MethodOption, MethodOption, MethodOption];
    expect(withSetting({ method: "rise" }, "rise", masks, "40")).toEqual({ method: "rise", "rise.masks": "40" });
    expect(withSetting({ "rise.masks": "40" }, "rise", masks, "1000")).toEqual({});
    expect(withSetting({ "rise.window": "4" }, "rise", window, "")).toEqual({});
    expect(OPTIONS.map(defaultOf)).toEqual(["1000", "0.5", "", "", "1", "zero"]);
    expect(withSetting({}, "rise", relu, "0")).toEqual({ "rise.relu": "0" });
  });

  it("go to the server as the option takes them", () => {
    expect(optionsOf(INFO, {})).toBe("");
    expect(sent({ masks: "40", visible: "1e-1", relu: "0", baseline: "blur" })).toEqual({
      masks: 40,
      visible: 0.1,
      relu: false,
      baseline: "blur",
    });
    expect(sent({ window: "4,8" })).toEqual({ window: [4, 8] });
    expect(sent({ window: "4", query: "mean" })).toEqual({ window: 4, query: "mean" });
    expect(sent({ query: "-1" })).toEqual({ query: -1 });
  });

  it("that cannot be read go as they are, so that the server says what would fit", () => {
    expect(sent({ masks: "many", mask: "3", visible: "", relu: "yes" })).toEqual({
      masks: "many",
      mask: "3",
      visible: "",
      relu: "yes",
    });
  });

  it("are the same text in any order, so that equal ones are one question", () => {
    expect(optionsOf(INFO, { visible: "0.1", masks: "3" })).toBe(optionsOf(INFO, { masks: "3", visible: "0.1" }));
  });

  it("change what the method costs", () => {
    expect(priceOf(INFO, {})).toBe("1,000 forwards");
    expect(priceOf(INFO, { masks: "40" })).toBe("40 forwards");
    expect(priceOf(INFO, { masks: "many" })).toBe("? forwards");
    expect(priceOf({ ...INFO, price_of: "" }, { masks: "40" })).toBe("1000 forwards");
  });
});
