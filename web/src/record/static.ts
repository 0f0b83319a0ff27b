/** A record inside an exported file: answers in inert script tags, compressed, under the paths of the HTTP API. */
import type { AnswerFile } from "./answer";
import { Examples } from "./examples";
import { FocusFile } from "./focus";
import { parseSafetensors, type Tensor } from "./safetensors";
import type { Manifest, PanelByLens, Summary } from "./schema.gen";
import { type Live, RecordProblem, type RecordSource } from "./source";
import { parseTraining, type TrainingPart } from "./training";

const TAGS = 'script[type="application/octet-stream;base64"][data-path]';

const PICTURE_TYPES: Readonly<Record<string, string>> = {
  png: "image/png",
  jpg: "image/jpeg",
  jpeg: "image/jpeg",
  webp: "image/webp",
};

export class StaticSource implements RecordSource {
  readonly kind = "static";
  readonly questions = null;
  #leftOut: string[] = [];
  readonly #packed = new Map<string, Element>();
  readonly #urls = new Map<string, Promise<string | null>>();

  constructor(root: ParentNode) {
    for (const tag of root.querySelectorAll(TAGS)) this.#packed.set(tag.getAttribute("data-path") ?? "", tag);
  }

  /** Whether the page is an exported file. */
  static inside(root: ParentNode): boolean {
    return root.querySelector(TAGS) !== null;
  }

  get leftOut(): readonly string[] {
    return this.#leftOut;
  }

  async manifest(): Promise<Manifest> {
    const leftOut = await this.#bytes("left_out");
    if (leftOut) this.#leftOut = decode<string[]>(leftOut);
    return this.#json<Manifest>("manifest");
  }

  async summary(): Promise<Summary> {
    return this.#json<Summary>("summary");
  }

  async panel<Lens extends keyof PanelByLens>(lens: Lens): Promise<PanelByLens[Lens] | null> {
    const bytes = await this.#bytes(`panels/${lens}`);
    return bytes ? decode<PanelByLens[Lens]>(bytes) : null;
  }

  async array(lens: string, tensor: string): Promise<Tensor | null> {
    const bytes = await this.#bytes(`arrays/${lens}/${tensor}`);
    return bytes ? (parseSafetensors(bytes).tensors.get(tensor) ?? null) : null;
  }

  async examples(): Promise<Examples | null> {
    const packed = await this.#bytes("examples/packed");
    if (packed) return Examples.unpack(packed);
    const bytes = await this.#bytes("examples");
    return bytes ? Examples.parse(bytes) : null;
  }

  async training(cursor: number): Promise<TrainingPart | null> {
    if (cursor > 0) return { rows: [], cursor };
    const bytes = await this.#bytes("training");
    return bytes ? parseTraining(bytes, 1) : null;
  }

  async focus(row: number): Promise<FocusFile | null> {
    const bytes = await this.#bytes(`focus/${row}`);
    return bytes ? new FocusFile(bytes) : null;
  }

  async live(): Promise<Live> {
    return { available: false, reason: "This is an exported file; it holds no model." };
  }

  async liveFocus(): Promise<FocusFile> {
    throw notLive();
  }

  async ask<Said extends object>(): Promise<AnswerFile<Said>> {
    throw notLive();
  }

  mediaUrl(name: string): Promise<string | null> {
    let url = this.#urls.get(name);
    if (!url) {
      url = this.#bytes(`media/${name}`).then((bytes) => {
        const type = PICTURE_TYPES[name.slice(name.lastIndexOf(".") + 1)];
        return bytes && type ? URL.createObjectURL(new Blob([bytes], { type })) : null;
      });
      this.#urls.set(name, url);
    }
    return url;
  }

  follow(): () => void {
    return () => {};
  }

  async #json<Answer>(path: string): Promise<Answer> {
    const bytes = await this.#bytes(path);
    if (!bytes) throw new RecordProblem("NotHere", `This file holds no ${path}: it was cut short. Export it again.`);
    return decode<Answer>(bytes);
  }

  async #bytes(path: string): Promise<ArrayBuffer | null> {
    const tag = this.#packed.get(path);
    return tag ? unpack(tag.textContent ?? "") : null;
  }
}

function notLive(): RecordProblem {
  return new RecordProblem("NotLive", "This is an exported file; it holds no model to ask.");
}

function decode<Answer>(bytes: ArrayBuffer): Answer {
  return JSON.parse(new TextDecoder().decode(bytes)) as Answer;
}

/** Base64 of gzip, unpacked. */
export async function unpack(text: string): Promise<ArrayBuffer> {
  const packed = fromBase64(text.trim());
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).arrayBuffer();
}

interface Base64 {
  fromBase64?(text: string): Uint8Array<ArrayBuffer>;
}

function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  const quick = (Uint8Array as Base64).fromBase64;
  if (quick) return quick.call(Uint8Array, text);
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let index = 0; index < binary.length; index++) bytes[index] = binary.charCodeAt(index);
  return bytes;
}
