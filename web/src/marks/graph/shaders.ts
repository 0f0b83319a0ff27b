/** The programs that run on the graphics card. Where a box stands is read from a texture, so that text moves with it. */

const RECTS = `
uniform vec3 u_camera;
uniform vec2 u_view;
uniform float u_share;
uniform highp sampler2D u_to;
uniform highp sampler2D u_from;
ivec2 cell(int i) { return ivec2(i & 1023, i >> 10); }
vec4 rectOf(int i) { return mix(texelFetch(u_from, cell(i), 0), texelFetch(u_to, cell(i), 0), u_share); }
vec2 onView(vec2 p) { return (p - u_camera.xy) * u_camera.z; }
vec4 clip(vec2 p) { return vec4(p.x / u_view.x * 2.0 - 1.0, 1.0 - p.y / u_view.y * 2.0, 0.0, 1.0); }
`;

export const BOX_VERTEX = `#version 300 es
precision highp float;
precision highp int;
precision highp usampler2D;
${RECTS}
uniform sampler2D u_fill;
uniform usampler2D u_look;
uniform int u_selected;
uniform int u_hovered;
layout(location = 0) in uint a_box;
out vec2 v_point;
flat out vec2 v_size;
flat out vec4 v_fill;
flat out uvec4 v_look;
flat out int v_hand;
void main() {
  int box = int(a_box);
  vec4 rect = rectOf(box);
  vec2 corner = vec2(gl_VertexID & 1, gl_VertexID >> 1);
  v_size = rect.zw * u_camera.z;
  float edge = 2.0;
  float stack = 8.0 * u_camera.z;
  vec2 low = vec2(-edge), high = v_size + edge + stack;
  v_point = mix(low, high, corner);
  v_fill = texelFetch(u_fill, cell(box), 0);
  v_look = texelFetch(u_look, cell(box), 0);
  v_hand = box == u_selected ? 2 : box == u_hovered ? 1 : 0;
  gl_Position = clip(onView(rect.xy) + v_point);
}`;

export const BOX_FRAGMENT = `#version 300 es
precision highp float;
precision highp int;
uniform vec3 u_camera;
uniform float u_share;
uniform float u_density;
uniform float u_filled;
uniform vec3 u_paper, u_ground, u_line, u_strong, u_accent, u_soft, u_high;
uniform vec3 u_changes[5];
in vec2 v_point;
flat in vec2 v_size;
flat in vec4 v_fill;
flat in uvec4 v_look;
flat in int v_hand;
out vec4 colour;

float rounded(vec2 p, vec2 size, float radius) {
  vec2 q = abs(p - size / 2.0) - size / 2.0 + radius;
  return length(max(q, 0.0)) + min(max(q.x, q.y), 0.0) - radius;
}
float inside(float distance) { return clamp(0.5 - distance * u_density, 0.0, 1.0); }
vec4 over(vec4 below, vec3 above, float cover) {
  float alpha = cover + below.a * (1.0 - cover);
  return alpha <= 0.0 ? below : vec4((above * cover + below.rgb * below.a * (1.0 - cover)) / alpha, alpha);
}
void main() {
  bool open = (v_look.x & 1u) != 0u;
  bool repeated = (v_look.x & 2u) != 0u;
  bool terminal = (v_look.x & 4u) != 0u;
  bool hollow = (v_look.x & 8u) != 0u;
  bool failed = (v_look.x & 16u) != 0u;
  float radius = min((terminal ? 0.5 * v_size.y / max(u_camera.z, 0.001) : 4.0) * u_camera.z, 0.5 * min(v_size.x, v_size.y));
  uint change = v_look.y;
  vec3 stroke = failed ? u_high : change > 0u ? u_changes[change] : open ? u_line : u_strong;
  float width = failed || change > 0u ? 1.5 : 1.0;
  colour = vec4(0.0);
  // Cards behind: the box stands for several.
  if (repeated) {
    float step = min(3.0, 3.0 * u_camera.z);
    for (int card = 2; card > 0; card--) {
      float distance = rounded(v_point - step * float(card), v_size, radius);
      colour = over(colour, u_strong, inside(distance));
      colour = over(colour, u_paper, inside(distance + width));
    }
  }
  float distance = rounded(v_point, v_size, radius);
  float cover = inside(distance);
  vec3 body = open ? mix(u_paper, u_ground, 0.6) : u_paper;
  if (open && v_point.y < 24.0 * u_camera.z) body = u_ground;
  // The colour of the measure: a strip near by, the whole box from afar.
  float strip = mix(6.0 * u_camera.z, v_size.x, u_filled);
  if (v_fill.a > 0.0 && !open && v_point.x < strip) body = v_fill.rgb;
  if (hollow && !open && v_point.x < strip && u_filled < 0.5) body = mix(body, u_strong, step(0.5, fract((v_point.x + v_point.y) / 4.0)) * 0.5);
  if (change == 2u) body = mix(body, u_changes[2], 0.35 * step(0.5, fract((v_point.x + v_point.y) / 8.0)));
  if (change == 1u) body = mix(body, u_changes[1], 0.16);
  if (change == 3u) body = mix(body, u_changes[3], 0.3 * step(length(fract(v_point / 8.0) - 0.5), 0.2));
  if (change == 4u) body = mix(body, u_changes[4], 0.35 * step(0.7, fract(v_point.y / 6.0)));
  uint light = v_look.z;
  if (light >= 2u && !open) body = mix(body, u_accent, light == 3u ? 0.3 : 0.1);
  if (v_hand == 2 && !open) body = mix(body, u_soft, v_fill.a > 0.0 && v_point.x < strip ? 0.0 : 1.0);
  if (v_hand > 0 || light == 3u) { stroke = u_accent; width = v_hand == 2 || light == 3u ? 2.0 : 1.0; }
  if (max(v_size.x, v_size.y) < 3.0) width = 0.5;
  float along = abs(v_point.x - v_size.x / 2.0) > abs(v_point.y - v_size.y / 2.0) * v_size.x / max(v_size.y, 1.0) ? v_point.y : v_point.x;
  bool gap = (hollow && !open && u_filled >= 0.5 || change == 4u) && fract(along / 6.0) > 0.55;
  vec3 edge = gap ? body : stroke;
  colour = over(colour, edge, cover);
  colour = over(colour, body, inside(distance + width));
  float alpha = light == 1u ? 0.28 : 1.0;
  if (v_look.w == 1u) alpha *= u_share;
  colour.a *= alpha;
  if (colour.a < 0.004) discard;
}`;

export const STROKE_VERTEX = `#version 300 es
precision highp float;
${RECTS}
uniform float u_density;
layout(location = 0) in vec4 a_to;
layout(location = 1) in vec4 a_from;
layout(location = 2) in vec4 a_how;
out float v_across;
out float v_half;
out float v_along;
flat out int v_kind;
void main() {
  vec4 ends = mix(a_from, a_to, u_share);
  vec2 p = onView(ends.xy), q = onView(ends.zw);
  vec2 way = q - p;
  float length = max(length(way), 0.0001);
  vec2 direction = way / length, side = vec2(-direction.y, direction.x);
  float end = float(gl_VertexID >> 1);
  bool tapers = a_how.x != a_how.y;
  float half0 = tapers ? a_how.x * u_camera.z : max(a_how.x * u_camera.z, 0.5);
  float half1 = tapers ? a_how.y * u_camera.z : max(a_how.y * u_camera.z, 0.5);
  v_half = mix(half0, half1, end);
  float reach = max(half0, half1) + 1.0 / u_density;
  v_across = float(gl_VertexID & 1) * 2.0 - 1.0;
  v_across *= reach;
  v_along = a_how.z + end * length / u_camera.z;
  v_kind = int(a_how.w);
  gl_Position = clip(mix(p, q, end) + side * v_across);
}`;

export const STROKE_FRAGMENT = `#version 300 es
precision highp float;
uniform vec3 u_camera;
uniform float u_share;
uniform float u_density;
uniform vec3 u_kinds[7];
uniform float u_faint;
in float v_across;
in float v_half;
in float v_along;
flat in int v_kind;
out vec4 colour;
void main() {
  int kind = v_kind & 7;
  float cover = clamp((v_half - abs(v_across)) * u_density + 0.5, 0.0, 1.0);
  if (kind == 3 && fract(v_along / 7.0) > 0.6) cover = 0.0;
  if (v_kind >= 8) cover *= u_share * u_share;
  cover *= kind < 4 ? u_faint : 1.0;
  colour = vec4(u_kinds[kind], cover);
  if (cover < 0.004) discard;
}`;

export const TEXT_VERTEX = `#version 300 es
precision highp float;
precision highp int;
precision highp usampler2D;
${RECTS}
uniform usampler2D u_look;
uniform float u_master;
layout(location = 0) in vec4 a_place;
layout(location = 1) in vec4 a_glyph;
layout(location = 2) in vec2 a_tone;
out vec2 v_texel;
flat out int v_tone;
flat out float v_alpha;
flat out vec4 v_bounds;
void main() {
  int box = int(a_place.z);
  vec2 origin = a_place.xy;
  v_alpha = 1.0;
  if (box >= 0) {
    vec4 rect = rectOf(box);
    origin += rect.xy;
    uvec4 look = texelFetch(u_look, cell(box), 0);
    v_alpha = (look.z == 1u ? 0.3 : 1.0) * (look.w == 1u ? u_share : 1.0);
  } else v_alpha = u_share * u_share;
  vec2 corner = vec2(gl_VertexID & 1, gl_VertexID >> 1);
  // A ground is a white spot stretched to the size that stands where a letter's tone has its second number.
  vec2 size = a_place.w > 0.0 ? vec2(a_place.w, a_tone.y) : a_glyph.zw / u_master;
  v_texel = a_glyph.xy + corner * a_glyph.zw;
  v_bounds = vec4(a_glyph.xy + 0.5, a_glyph.xy + a_glyph.zw - 0.5);
  v_tone = int(a_tone.x);
  gl_Position = clip(onView(origin + corner * size));
}`;

export const TEXT_FRAGMENT = `#version 300 es
precision highp float;
uniform sampler2D u_atlas;
uniform float u_side;
uniform float u_footprint;
uniform float u_alpha;
uniform vec3 u_tones[6];
in vec2 v_texel;
flat in int v_tone;
flat in float v_alpha;
flat in vec4 v_bounds;
out vec4 colour;
vec4 tap(vec2 offset) { return texture(u_atlas, clamp(v_texel + offset * u_footprint, v_bounds.xy, v_bounds.zw) / u_side); }
void main() {
  // Nine looks over the pixel's footprint: letters are drawn larger than they are shown.
  vec4 sum = tap(vec2(0.0)) + tap(vec2(-0.33, 0.0)) + tap(vec2(0.33, 0.0)) + tap(vec2(0.0, -0.33)) + tap(vec2(0.0, 0.33))
    + tap(vec2(-0.33)) + tap(vec2(0.33)) + tap(vec2(-0.33, 0.33)) + tap(vec2(0.33, -0.33));
  sum /= 9.0;
  bool coloured = v_tone >= 8;
  vec3 tone = coloured ? sum.rgb / max(sum.a, 0.001) : u_tones[v_tone];
  float alpha = (v_tone == 4 || v_tone == 5 ? 1.0 : pow(sum.a, 0.85)) * v_alpha * u_alpha;
  colour = vec4(tone, alpha);
  if (alpha < 0.004) discard;
}`;

export const STAMP_VERTEX = `#version 300 es
precision highp float;
precision highp int;
${RECTS}
uniform float u_cells;
layout(location = 0) in vec2 a_stamp;
out vec2 v_place;
void main() {
  vec4 rect = rectOf(int(a_stamp.x));
  vec2 corner = vec2(gl_VertexID & 1, gl_VertexID >> 1);
  float side = rect.w - 4.0;
  vec2 at = rect.xy + vec2(rect.z - side - 2.0, 2.0) + corner * side;
  vec2 cellAt = vec2(mod(a_stamp.y, u_cells), floor(a_stamp.y / u_cells));
  v_place = (cellAt + corner) / u_cells;
  gl_Position = clip(onView(at));
}`;

export const STAMP_FRAGMENT = `#version 300 es
precision highp float;
uniform sampler2D u_stamps;
in vec2 v_place;
out vec4 colour;
void main() { colour = texture(u_stamps, v_place); }`;
