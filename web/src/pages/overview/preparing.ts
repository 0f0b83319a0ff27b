/** How an input was prepared, in words. */
import { number } from "../../marks/format";

type Step = Readonly<Record<string, unknown>>;

/** "resize to 128 × 128 (bilinear)", "divide by 255"; what is not known stands as its names and values. */
export function stepWords(step: Step): string {
  const { step: what, size, shorter_side: shorter, interpolation, divisor, mean, std } = step;
  const how = interpolation === undefined ? "" : ` (${said(interpolation)})`;
  if (what === "resize" && size !== undefined) return `resize to ${said(size, " × ")}${how}`;
  if (what === "resize" && shorter !== undefined) return `resize the shorter side to ${said(shorter)}${how}`;
  if (what === "centre crop" && size !== undefined) return `cut the centre to ${said(size, " × ")}`;
  if (what === "scale" && divisor !== undefined) return `divide by ${said(divisor)}`;
  if (what === "normalise") {
    const parts = [some(mean) ? `subtract ${said(mean)}` : "", some(std) ? `divide by ${said(std)}` : ""];
    return parts.filter(Boolean).join(", then ") || "normalise";
  }
  const rest = Object.entries(step).filter(([name]) => name !== "step");
  return [said(what ?? ""), ...rest.map(([name, value]) => `${name.replaceAll("_", " ")} ${said(value)}`)]
    .filter(Boolean)
    .join(" ");
}

const some = (value: unknown): boolean => value !== undefined && !(Array.isArray(value) && value.length === 0);

/** Numbers in short; a list of equal numbers once. */
function said(value: unknown, between = ", "): string {
  if (typeof value === "number") return number(value);
  if (!Array.isArray(value)) return String(value);
  const parts = value.map((one) => said(one));
  return new Set(parts).size === 1 && parts.length > 2 ? (parts[0] ?? "") : parts.join(between);
}
