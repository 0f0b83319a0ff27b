/** The few steps that every WebGL program needs. */

export interface Program {
  readonly program: WebGLProgram;
  /** Places of its uniforms, by name. */
  at(name: string): WebGLUniformLocation | null;
}

export function programOf(gl: WebGL2RenderingContext, vertex: string, fragment: string): Program {
  const program = gl.createProgram();
  for (const [kind, text] of [
    [gl.VERTEX_SHADER, vertex],
    [gl.FRAGMENT_SHADER, fragment],
  ] as const) {
    const shader = gl.createShader(kind);
    if (!shader) throw new Error("The graphics card gave no shader.");
    gl.shaderSource(shader, text);
    gl.compileShader(shader);
    if (!gl.getShaderParameter(shader, gl.COMPILE_STATUS) && !gl.isContextLost())
      throw new Error(`A shader could not be compiled: ${gl.getShaderInfoLog(shader)}`);
    gl.attachShader(program, shader);
  }
  gl.linkProgram(program);
  if (!gl.getProgramParameter(program, gl.LINK_STATUS) && !gl.isContextLost())
    throw new Error(`A program could not be linked: ${gl.getProgramInfoLog(program)}`);
  const places = new Map<string, WebGLUniformLocation | null>();
  return {
    program,
    at(name) {
      let place = places.get(name);
      if (place === undefined) {
        place = gl.getUniformLocation(program, name);
        places.set(name, place);
      }
      return place;
    },
  };
}

export interface Attribute {
  readonly place: number;
  readonly size: number;
  readonly whole?: boolean;
}

/** Instances in a buffer, drawn as quads; a part of them at a time, without copying. */
export class Instances {
  readonly #gl: WebGL2RenderingContext;
  readonly #array: WebGLVertexArrayObject;
  readonly #buffer: WebGLBuffer;
  readonly #attributes: readonly Attribute[];
  readonly #stride: number;
  #first = -1;
  count = 0;

  constructor(gl: WebGL2RenderingContext, attributes: readonly Attribute[]) {
    this.#gl = gl;
    this.#array = gl.createVertexArray();
    this.#buffer = gl.createBuffer();
    this.#attributes = attributes;
    this.#stride = 4 * attributes.reduce((sum, one) => sum + one.size, 0);
    gl.bindVertexArray(this.#array);
    for (const { place } of attributes) {
      gl.enableVertexAttribArray(place);
      gl.vertexAttribDivisor(place, 1);
    }
    gl.bindVertexArray(null);
  }

  fill(numbers: Float32Array | Uint32Array, count: number): void {
    const gl = this.#gl;
    this.count = count;
    gl.bindBuffer(gl.ARRAY_BUFFER, this.#buffer);
    gl.bufferData(gl.ARRAY_BUFFER, numbers.subarray(0, (count * this.#stride) / 4), gl.DYNAMIC_DRAW);
  }

  draw(first = 0, count = this.count): void {
    if (count <= 0) return;
    const gl = this.#gl;
    gl.bindVertexArray(this.#array);
    if (first !== this.#first) {
      gl.bindBuffer(gl.ARRAY_BUFFER, this.#buffer);
      let offset = first * this.#stride;
      for (const { place, size, whole } of this.#attributes) {
        if (whole) gl.vertexAttribIPointer(place, size, gl.UNSIGNED_INT, this.#stride, offset);
        else gl.vertexAttribPointer(place, size, gl.FLOAT, false, this.#stride, offset);
        offset += 4 * size;
      }
      this.#first = first;
    }
    gl.drawArraysInstanced(gl.TRIANGLE_STRIP, 0, 4, count);
  }
}

export const TABLE_WIDTH = 1024;

/** One cell a box: 4 numbers each. */
export function tableOf(
  gl: WebGL2RenderingContext,
  texture: WebGLTexture,
  values: Float32Array | Uint8Array,
  kind: "numbers" | "colours" | "flags",
): void {
  const rows = Math.max(1, Math.ceil(values.length / 4 / TABLE_WIDTH));
  const size = rows * TABLE_WIDTH * 4;
  const padded = kind === "numbers" ? new Float32Array(size) : new Uint8Array(size);
  padded.set(values);
  const [inner, format, type] = {
    numbers: [gl.RGBA32F, gl.RGBA, gl.FLOAT],
    colours: [gl.RGBA8, gl.RGBA, gl.UNSIGNED_BYTE],
    flags: [gl.RGBA8UI, gl.RGBA_INTEGER, gl.UNSIGNED_BYTE],
  }[kind] as [number, number, number];
  gl.bindTexture(gl.TEXTURE_2D, texture);
  gl.texImage2D(gl.TEXTURE_2D, 0, inner, TABLE_WIDTH, rows, 0, format, type, padded);
  for (const name of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER]) gl.texParameteri(gl.TEXTURE_2D, name, gl.NEAREST);
}
