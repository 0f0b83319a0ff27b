/**
 * What is on screen as one SVG, or as PNG: text as text, SVG marks as they are, canvases and pictures as images.
 *
 * Elements marked `data-leave-out` (buttons, menus) are not part of the picture.
 */

const SVG = "http://www.w3.org/2000/svg";
const MARGIN = 16;

const DRAWN_STYLES = [
  "fill",
  "stroke",
  "stroke-width",
  "stroke-dasharray",
  "stroke-linejoin",
  "stroke-linecap",
  "opacity",
  "fill-opacity",
  "stroke-opacity",
  "font-size",
  "font-family",
  "font-weight",
  "text-anchor",
  "dominant-baseline",
  "visibility",
  "shape-rendering",
] as const;

export function svgOf(root: Element): SVGSVGElement {
  const box = root.getBoundingClientRect();
  const [width, height] = [Math.ceil(box.width) + 2 * MARGIN, Math.ceil(box.height) + 2 * MARGIN];
  const drawing = document.createElementNS(SVG, "svg");
  for (const [name, value] of Object.entries({ width, height, viewBox: `0 0 ${width} ${height}` })) {
    drawing.setAttribute(name, String(value));
  }
  const paper = getComputedStyle(document.body).backgroundColor;
  drawing.append(shape("rect", { x: 0, y: 0, width, height, fill: paper }));
  draw(root, drawing, box.left - MARGIN, box.top - MARGIN);
  return drawing;
}

export function svgText(root: Element): string {
  return new XMLSerializer().serializeToString(svgOf(root));
}

/** No browser gives a larger canvas than this. */
const MOST_SIDE = 16_384;
const MOST_PIXELS = 120_000_000;

/** Twice the size of the screen's pixels, so that it prints. */
export function pngOf(root: Element): Promise<Blob> {
  return pngOfText(svgText(root));
}

/** An SVG as PNG, twice its size or as large as a canvas may be. */
export async function pngOfText(text: string): Promise<Blob> {
  const image = new Image();
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(text)}`;
  await image.decode();
  const [width, height] = [image.naturalWidth, image.naturalHeight];
  const scale = Math.min(2, MOST_SIDE / Math.max(width, height), Math.sqrt(MOST_PIXELS / (width * height)));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.floor(scale * width));
  canvas.height = Math.max(1, Math.floor(scale * height));
  const context = canvas.getContext("2d");
  if (!context) throw new Error("This browser gave no canvas to draw the PNG on.");
  context.drawImage(image, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve, reject) => {
    canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error("The picture is too large for a PNG."))));
  });
}

function draw(node: Node, into: Element, left: number, top: number): void {
  if (node instanceof Text) drawText(node, into, left, top);
  if (!(node instanceof Element) || node.hasAttribute("data-leave-out")) return;
  const style = getComputedStyle(node);
  if (style.display === "none" || style.visibility === "hidden" || node.classList.contains("visually-hidden")) return;
  const box = node.getBoundingClientRect();
  const place = { x: box.left - left, y: box.top - top, width: box.width, height: box.height };
  if (node instanceof SVGSVGElement) {
    const copy = node.cloneNode(true) as SVGSVGElement;
    inline(node, copy);
    for (const [name, value] of Object.entries(place)) copy.setAttribute(name, String(value));
    into.append(copy);
    return;
  }
  if (style.backgroundColor !== "rgba(0, 0, 0, 0)")
    into.append(shape("rect", { ...place, fill: style.backgroundColor }));
  if (node instanceof HTMLCanvasElement || node instanceof HTMLImageElement) {
    into.append(
      shape("image", {
        ...place,
        href: pixels(node),
        opacity: style.opacity,
        preserveAspectRatio: "none",
        "image-rendering": style.imageRendering,
      }),
    );
  }
  for (const child of node.childNodes) draw(child, into, left, top);
}

/** Word by word, where the browser has put each. */
function drawText(node: Text, into: Element, left: number, top: number): void {
  const parent = node.parentElement;
  if (!parent || !node.data.trim()) return;
  const style = getComputedStyle(parent);
  const range = document.createRange();
  for (const word of node.data.matchAll(/\S+/g)) {
    range.setStart(node, word.index);
    range.setEnd(node, word.index + word[0].length);
    const box = range.getBoundingClientRect();
    if (box.width === 0) continue;
    const text = shape("text", {
      x: box.left - left,
      y: box.top - top + box.height * 0.78,
      fill: style.color,
      "font-size": style.fontSize,
      "font-family": style.fontFamily,
      "font-weight": style.fontWeight,
    });
    text.textContent = word[0];
    into.append(text);
  }
}

function inline(from: Element, to: Element): void {
  const style = getComputedStyle(from);
  for (const name of DRAWN_STYLES) to.setAttribute(name, style.getPropertyValue(name));
  to.removeAttribute("class");
  for (let index = 0; index < from.children.length; index++) {
    const [one, other] = [from.children[index], to.children[index]];
    if (one && other) inline(one, other);
  }
}

function pixels(picture: HTMLCanvasElement | HTMLImageElement): string {
  if (picture instanceof HTMLCanvasElement) return picture.toDataURL();
  const canvas = document.createElement("canvas");
  canvas.width = picture.naturalWidth;
  canvas.height = picture.naturalHeight;
  canvas.getContext("2d")?.drawImage(picture, 0, 0);
  return canvas.width > 0 ? canvas.toDataURL() : "";
}

function shape(name: string, attributes: Readonly<Record<string, string | number>>): Element {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
  return element;
}
