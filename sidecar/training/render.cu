// Sphere-traces one or two hands of tapered capsules, and what they hold, for a batch of crops.
//
// Camera coordinates, metres, OpenCV axes (x right, y down, z away). The same source is a CUDA kernel (NVRTC) and plain
// C++ (see cpu_harness.py). `LOOK_*` and `LOOKS` are defined by renderer.py from the field list in looks.py.

#ifdef __CUDACC__
#define DEVICE __device__ __forceinline__
#define DEVICE_CALL __device__ __noinline__
#define SYNC __syncthreads()
#else
#include <math.h>
#define DEVICE static inline
#define DEVICE_CALL static
#define SYNC
static inline float rsqrtf(float x) { return 1.0f / sqrtf(x); }
#endif

#define MAX_CAPSULES 32   // of a hand, as handed over
#define WEBS 5            // folds of skin that a hand gets on top: between the fingers, and two to the thumb
#define MAX_TOTAL (2 * (MAX_CAPSULES + WEBS))
#define PROPS 2
#define PROP_FLOATS 16
#define CHANNELS 7
#define FAR_AWAY 1e3f
#define TILE 16

struct V { float x, y, z; };
DEVICE V v3(float x, float y, float z) { V r = {x, y, z}; return r; }
DEVICE V at3(const float* p) { return v3(p[0], p[1], p[2]); }
DEVICE V operator+(V a, V b) { return v3(a.x + b.x, a.y + b.y, a.z + b.z); }
DEVICE V operator-(V a, V b) { return v3(a.x - b.x, a.y - b.y, a.z - b.z); }
DEVICE V operator*(V a, float s) { return v3(a.x * s, a.y * s, a.z * s); }
DEVICE V operator*(V a, V b) { return v3(a.x * b.x, a.y * b.y, a.z * b.z); }
DEVICE float dot(V a, V b) { return a.x * b.x + a.y * b.y + a.z * b.z; }
DEVICE V cross(V a, V b) { return v3(a.y * b.z - a.z * b.y, a.z * b.x - a.x * b.z, a.x * b.y - a.y * b.x); }
DEVICE float length(V a) { return sqrtf(dot(a, a)); }
DEVICE V unit(V a) { return a * rsqrtf(dot(a, a) + 1e-20f); }
DEVICE float clampf(float x, float lo, float hi) { return fminf(fmaxf(x, lo), hi); }
DEVICE float sat(float x) { return clampf(x, 0.0f, 1.0f); }
DEVICE float mixf(float a, float b, float t) { return a + (b - a) * t; }
DEVICE V mix3(V a, V b, float t) { return a + (b - a) * t; }
DEVICE float step_up(float lo, float hi, float x) { float t = sat((x - lo) / (hi - lo)); return t * t * (3.0f - 2.0f * t); }
DEVICE float sq(float x) { return x * x; }
DEVICE float bell(float x, float width) { return expf(-sq(x / width)); }

struct Capsule {
  V a, ab, dorsal;
  float ra, dr, inverse_square, nail;
  int hand, group, role;  // role: place in its group, -1 for a web
  int forearm, ring;
};
struct PalmFrame { V root, knuckle, across, along; float width, length; };
struct Scene {
  Capsule all[MAX_TOTAL];
  int order[MAX_TOTAL];   // by hand, then group: palm first
  int near[MAX_TOTAL];    // those a tile can see, in the same order
  int seen[MAX_TOTAL];    // whether the tile sees the capsule at this place in `order`
  int count, near_count, sees_prop[PROPS];
  PalmFrame palm[2];
  float t_from, t_to;
};
struct Picture {
  const float *capsules, *other, *looks, *window, *props;
  const int* groups;
  int N, H, W;
};

// --- noise -----------------------------------------------------------------------------------------------------------
DEVICE float hash(int x, int y, int z) {
  unsigned h = (unsigned)x * 0x8da6b343u ^ (unsigned)y * 0xd8163841u ^ (unsigned)z * 0xcb1ab31fu;
  h ^= h >> 15; h *= 0x2c1b3c6du; h ^= h >> 12; h *= 0x297a2d39u; h ^= h >> 15;
  return (h >> 8) * (1.0f / 16777216.0f);
}
DEVICE_CALL float noise(V p) {  // 0 to 1, mean 0.5
  float fx = floorf(p.x), fy = floorf(p.y), fz = floorf(p.z);
  int x = (int)fx, y = (int)fy, z = (int)fz;
  V t = v3(p.x - fx, p.y - fy, p.z - fz);
  t = v3(t.x * t.x * (3 - 2 * t.x), t.y * t.y * (3 - 2 * t.y), t.z * t.z * (3 - 2 * t.z));
  float r[2];
  for (int k = 0; k < 2; k++)
    r[k] = mixf(mixf(hash(x, y, z + k), hash(x + 1, y, z + k), t.x), mixf(hash(x, y + 1, z + k), hash(x + 1, y + 1, z + k), t.x), t.y);
  return mixf(r[0], r[1], t.z);
}

// --- distance --------------------------------------------------------------------------------------------------------
DEVICE float smooth_min(float a, float b, float k) {
  float h = fmaxf(k - fabsf(a - b), 0.0f) / k;
  return fminf(a, b) - h * h * k * 0.25f;
}
#define HAND_LOOK(look, hand, name) (look)[LOOK_##name + (hand) * LOOK_HAND_STRIDE]

DEVICE float worn(const Capsule& c, float h, const float* look) {  // what clothes add to the radius
  float more = 0.0f;
  if (c.forearm) {
    float from = HAND_LOOK(look, c.hand, sleeve_start);
    more = HAND_LOOK(look, c.hand, sleeve_thick) * sat((h - from) * 60.0f);
    more += HAND_LOOK(look, c.hand, band_thick) * sat(2.0f - fabsf(h - HAND_LOOK(look, c.hand, band_at)) / HAND_LOOK(look, c.hand, band_width) * 2.0f);
  } else if (c.ring) {
    more = 0.0009f * sat(2.0f - fabsf(h - 0.55f) / 0.04f);
  }
  return more;
}
DEVICE float capsule_distance(const Capsule& c, V p, const float* look, float* along) {
  V q = p - c.a;
  float h = sat(dot(q, c.ab) * c.inverse_square);
  float r = c.ra + h * c.dr;
  if (c.forearm | c.ring) r += worn(c, h, look);
  *along = h;
  return length(q - c.ab * h) - r;
}
DEVICE float prop_distance(const float* o, V p) {
  V q = p - at3(o), u = at3(o + 3), v = at3(o + 6), w = cross(u, v);
  V s = v3(fabsf(dot(q, u)), fabsf(dot(q, v)), fabsf(dot(q, w)));
  float x, y, z = -FAR_AWAY, soft = 0.003f;
  if (o[12] > 0.5f) { x = s.x - o[9]; y = sqrtf(s.y * s.y + s.z * s.z) - o[10]; soft = 0.0015f; }
  else { x = s.x - o[9]; y = s.y - o[10]; z = s.z - o[11]; }
  x += soft; y += soft; z += soft;
  return sqrtf(sq(fmaxf(x, 0)) + sq(fmaxf(y, 0)) + sq(fmaxf(z, 0))) + fminf(fmaxf(x, fmaxf(y, z)), 0.0f) - soft;
}
DEVICE_CALL float scene_distance(const Scene& s, const float* look, const float* props, const int* list, int count, V p) {
  float total = FAR_AWAY, palm = FAR_AWAY, part = FAR_AWAY, h;
  int key = -1;
  for (int j = 0; j <= count; j++) {
    int next = j < count ? s.all[list[j]].hand * 8 + s.all[list[j]].group : -2;
    if (next != key) {
      // A finger melts into its palm, but not into its neighbour: fingers that touch stay two.
      total = fminf(total, (key & 7) == 0 ? part : smooth_min(palm, part, 0.006f));
      if ((key & 7) == 0) palm = part;
      if ((next >> 3) != (key >> 3)) palm = FAR_AWAY;
      part = FAR_AWAY;
      key = next;
    }
    if (j < count)
      part = smooth_min(part, capsule_distance(s.all[list[j]], p, look, &h), (key & 7) == 0 ? 0.009f : 0.0035f);
  }
  for (int i = 0; i < PROPS; i++)
    if (props[i * PROP_FLOATS + 9] > 0.0f) total = fminf(total, prop_distance(props + i * PROP_FLOATS, p));
  return total;
}

// --- what a block shares ---------------------------------------------------------------------------------------------
DEVICE void make_capsule(Capsule* c, V a, float ra, V b, float rb, V dorsal, float nail, int hand, int group, int role) {
  c->a = a; c->ab = b - a; c->dorsal = dorsal; c->ra = ra; c->dr = rb - ra; c->nail = nail;
  c->inverse_square = 1.0f / (dot(c->ab, c->ab) + 1e-12f);
  c->hand = hand; c->group = group; c->role = role; c->forearm = 0; c->ring = 0;
}
DEVICE void load_hand(Scene* s, const Picture& p, const float* look, const float* from, int hand, int thread, int threads) {
  for (int i = thread; i < p.N; i += threads) {
    const float* q = from + i * 12;
    int role = 0;
    for (int k = 0; k < i; k++) role += p.groups[k] == p.groups[i];
    Capsule* c = &s->all[hand * (p.N + WEBS) + i];
    make_capsule(c, at3(q), q[3], at3(q + 4), q[7], unit(at3(q + 8)), q[11], hand, p.groups[i], role);
    c->forearm = i >= p.N - 2;
    c->ring = role == 0 && c->group >= 2 && c->group == (int)HAND_LOOK(look, hand, ring_finger);
  }
}
DEVICE const Capsule* find(const Scene& s, int first, int N, int group, int role) {
  for (int i = first; i < first + N; i++)
    if (s.all[i].group == group && s.all[i].role == role) return &s.all[i];
  return &s.all[first];
}
DEVICE void add_webs(Scene* s, int N, int hand) {
  int first = hand * (N + WEBS);
  for (int finger = 2; finger < 5; finger++) {
    const Capsule *l = find(*s, first, N, finger, 0), *r = find(*s, first, N, finger + 1, 0);
    V a = l->a + l->ab * 0.30f - l->dorsal * (0.22f * l->ra), b = r->a + r->ab * (finger == 4 ? 0.36f : 0.30f) - r->dorsal * (0.22f * r->ra);
    // Pulled apart, the fold of skin gets thin.
    float thin = clampf(0.030f / (length(b - a) + 1e-6f), 0.35f, 1.0f);
    make_capsule(&s->all[first + N + finger - 2], a, l->ra * 0.66f * thin, b, r->ra * 0.66f * thin, unit(l->dorsal + r->dorsal), 0, hand, 0, -1);
  }
  const Capsule *thumb = find(*s, first, N, 1, 0), *ray = find(*s, first, N, 0, 0);
  // Below the edge of the web lies its middle: where the thumb is spread wide, the palm alone would not fill it.
  for (int fold = 0; fold < 2; fold++) {
    V a = thumb->a + thumb->ab * (fold ? 0.40f : 0.72f), b = ray->a + ray->ab * (fold ? 0.52f : 0.80f);
    make_capsule(&s->all[first + N + 3 + fold], a, thumb->ra * 0.55f, b, ray->ra * 0.55f, unit(thumb->dorsal + ray->dorsal), 0, hand, 0, -1);
  }
}
DEVICE void set_palm(Scene* s, int N, int hand) {
  int first = hand * (N + WEBS);
  V index = find(*s, first, N, 2, 0)->a, middle = find(*s, first, N, 3, 0)->a, little = find(*s, first, N, 5, 0)->a;
  V root = (find(*s, first, N, 0, 0)->a + find(*s, first, N, 0, 3)->a) * 0.5f;
  PalmFrame f;
  f.root = root; f.knuckle = little; f.width = length(index - little) + 1e-6f; f.length = length(middle - root) + 1e-6f;
  f.across = (index - little) * (1.0f / f.width); f.along = (middle - root) * (1.0f / f.length);
  s->palm[hand] = f;
}
DEVICE bool sphere_in_tile(V c, float r, const float* k) {  // k: x from, x to, y from, y to, normalised
  float sx0 = (c.x - k[0] * c.z) * rsqrtf(1 + k[0] * k[0]), sx1 = (k[1] * c.z - c.x) * rsqrtf(1 + k[1] * k[1]);
  float sy0 = (c.y - k[2] * c.z) * rsqrtf(1 + k[2] * k[2]), sy1 = (k[3] * c.z - c.y) * rsqrtf(1 + k[3] * k[3]);
  return fminf(fminf(sx0, sx1), fminf(sy0, sy1)) > -r;
}
DEVICE bool capsule_in_tile(const Capsule& c, const float* k, float margin) {
  V b = c.a + c.ab;
  for (int side = 0; side < 4; side++) {
    float inverse = rsqrtf(1 + k[side] * k[side]) * (side & 1 ? -1.0f : 1.0f);
    float da = ((side < 2 ? c.a.x : c.a.y) - k[side] * c.a.z) * inverse, db = ((side < 2 ? b.x : b.y) - k[side] * b.z) * inverse;
    if (fmaxf(da + c.ra, db + c.ra + c.dr) < -margin) return false;
  }
  return true;
}
DEVICE void set_order(Scene* s, int total, int thread, int threads) {
  // Each capsule counts those before it: no thread waits for another. The one after the last counts them all.
  for (int i = thread; i <= total; i += threads) {
    int key = i < total ? (s->all[i].hand * 8 + s->all[i].group) * MAX_TOTAL + i : 1 << 20, rank = 0;
    for (int j = 0; j < total; j++)
      rank += s->all[j].ra > 0.0f && (s->all[j].hand * 8 + s->all[j].group) * MAX_TOTAL + j < key;
    if (i == total) s->count = rank;
    else if (s->all[i].ra > 0.0f) s->order[rank] = i;
  }
}
DEVICE void look_for(Scene* s, const float* k, int thread, int threads) {
  // Smooth joins reach 9 mm and clothes a few more; what is farther than that cannot change a surface seen in this tile.
  for (int j = thread; j < s->count; j += threads) s->seen[j] = capsule_in_tile(s->all[s->order[j]], k, 0.016f);
}
DEVICE void cull(Scene* s, const float* props, const float* k) {
  s->near_count = 0; s->t_from = FAR_AWAY; s->t_to = 0.0f;
  for (int j = 0; j < s->count; j++) {
    const Capsule& c = s->all[s->order[j]];
    if (!s->seen[j]) continue;
    s->near[s->near_count++] = s->order[j];
    V middle = c.a + c.ab * 0.5f;
    float reach = 0.5f * length(c.ab) + fmaxf(c.ra, c.ra + c.dr) + 0.012f, d = length(middle);
    s->t_from = fminf(s->t_from, d - reach); s->t_to = fmaxf(s->t_to, d + reach);
  }
  for (int i = 0; i < PROPS; i++) {
    const float* o = props + i * PROP_FLOATS;
    float r = length(at3(o + 9)) + 0.002f, d = length(at3(o));
    s->sees_prop[i] = o[9] > 0.0f && sphere_in_tile(at3(o), r, k);
    if (s->sees_prop[i]) { s->t_from = fminf(s->t_from, d - r); s->t_to = fmaxf(s->t_to, d + r); }
  }
  s->t_from = fmaxf(s->t_from, 0.05f);
}

// --- skin ------------------------------------------------------------------------------------------------------------
struct Surface { V albedo, normal; float specular, gloss, wrap; };
struct Spot {  // where on a hand a point lies
  int index; float h, free_h, back, palm;
  V dorsal, axis, side;
  float length_m, radius, lateral;
};

DEVICE V skin_albedo(float melanin, float blood, float carotene) {
  // Reflectance of skin without pigment, dimmed by each pigment as much as it absorbs red, green and blue.
  float m = fmaxf(melanin, 0.0f), b = fmaxf(blood, 0.0f);
  return v3(0.86f * expf(-2.5f * m - 0.06f * b), 0.66f * expf(-3.2f * m - 0.62f * b - 0.05f * carotene),
            0.54f * expf(-3.9f * m - 0.50f * b - 0.45f * carotene));
}
DEVICE Spot locate(const Scene& s, const float* look, V p, V n) {
  Spot o;
  float best = FAR_AWAY, h;
  o.index = s.near[0]; o.h = 0.0f;
  for (int j = 0; j < s.near_count; j++) {
    float d = capsule_distance(s.all[s.near[j]], p, look, &h);
    if (d < best) { best = d; o.index = s.near[j]; o.h = h; }
  }
  const Capsule& c = s.all[o.index];
  V dorsal = v3(0, 0, 0);
  for (int j = 0; j < s.near_count; j++) {
    const Capsule& q = s.all[s.near[j]];
    if (q.hand == c.hand) dorsal = dorsal + q.dorsal * expf(-(capsule_distance(q, p, look, &h) - best) * 280.0f);
  }
  o.length_m = sqrtf(dot(c.ab, c.ab));
  o.axis = c.ab * (1.0f / (o.length_m + 1e-9f));
  o.dorsal = unit(dorsal);
  o.side = unit(cross(o.dorsal, o.axis));
  o.radius = c.ra + o.h * c.dr;
  o.free_h = dot(p - c.a, c.ab) * c.inverse_square;
  o.lateral = dot(p - c.a, o.side) / o.radius;
  o.back = step_up(-0.15f, 0.55f, dot(n, o.dorsal));
  o.palm = step_up(-0.10f, 0.50f, -dot(n, o.dorsal));
  return o;
}
struct Line { float depth, slope; };
DEVICE Line groove(float x, float width, float pixel) {
  // A line thinner than a pixel is drawn a pixel wide, and fainter.
  float w = sqrtf(width * width + 0.35f * pixel * pixel), e = expf(-sq(x / w)) * (width / w);
  Line l = {e, -2.0f * x / w * e};
  return l;
}
DEVICE void carve(V* n, float* dark, Line l, V direction, float amount) {
  *dark += amount * l.depth;
  *n = *n + direction * (amount * 0.55f * l.slope);
}
DEVICE void palm_creases(const PalmFrame& f, V p, float seed, float amount, float pixel, V* n, float* dark) {
  float x = dot(p - f.knuckle, f.across) / f.width, y = dot(p - f.root, f.along) / f.length, unit_m = f.length;
  float warp = (noise(v3(x * 2.5f + seed, y * 2.5f, seed)) - 0.5f) * 0.10f, ix = x * 0.68f;
  float fine = 0.6f + 0.8f * noise(v3(x * 14.0f, y * 14.0f, seed)), px = pixel / unit_m;
  float w = 0.0085f * (0.7f + 0.6f * noise(v3(seed, 3.0f, 1.0f)));
  float k = 0.9f * fmaxf(x - 0.05f, 0.0f);
  float heart = y - (0.83f + 0.30f * sq(fmaxf(x - 0.05f, 0.0f)) + warp);
  carve(n, dark, groove(heart * rsqrtf(1 + k * k), w, px), f.along, amount * fine * step_up(-0.45f, -0.2f, x) * step_up(0.90f, 0.70f, x));
  float head = y - (0.53f + 0.21f * x - warp);
  carve(n, dark, groove(head * 0.95f, w, px), f.along, amount * fine * step_up(-0.1f, 0.15f, x) * step_up(1.6f, 1.3f, x));
  float slope = 2.2f * (y - 0.22f);
  float life = ix - (0.30f + 1.1f * sq(y - 0.22f) + 0.7f * warp);
  carve(n, dark, groove(life * rsqrtf(1 + slope * slope), w * 1.15f, px), f.across, amount * fine * step_up(-0.02f, 0.1f, y) * step_up(0.88f, 0.78f, y));
  // The wrist's bracelets.
  for (int i = 0; i < 2; i++)
    carve(n, dark, groove(y + 0.03f + 0.06f * i + 0.03f * sq(x - 0.5f) + 0.4f * warp, w, px), f.along, 0.7f * amount * fine);
  // Small lines all over.
  float small_lines = noise(v3(x * 22.0f + seed, y * 7.0f, 2.0f)) * noise(v3(x * 8.0f, y * 26.0f + seed, 5.0f));
  *dark += 0.35f * amount * step_up(0.35f, 0.6f, small_lines);
}
DEVICE void finger_lines(const Capsule& c, const Spot& o, V p, float seed, float crease, float wrinkle, float pixel, V* n, float* dark, float* red) {
  // Distances to the joints of this bone, along it.
  float s = o.free_h * o.length_m, e = s - o.length_m;
  bool thumb = c.group == 1;
  float x = FAR_AWAY;
  if (c.role > 0 && fabsf(s) < fabsf(x)) x = s;
  if (c.role < 2 && fabsf(e) < fabsf(x)) x = e;
  bool middle_joint = (c.role == 1 && x == s) || (c.role == 0 && x == e);
  float bend = 0.0012f * (noise(v3(o.lateral * 2.0f + seed, (float)(c.group * 3 + c.role), 1.0f)) - 0.5f);
  float fine = 0.65f + 0.7f * noise(v3(o.lateral * 5.0f + seed, s * 300.0f, 4.0f)), width = 0.0008f;
  float palm = o.palm * crease * fine;
  if (palm > 0.01f) {
    carve(n, dark, groove(x + bend, width, pixel), o.axis, palm);
    if (middle_joint) carve(n, dark, groove(x + 0.0026f + bend, width, pixel), o.axis, 0.7f * palm);
    if (c.role == 0 && !thumb) carve(n, dark, groove(s - 0.46f * o.length_m + bend, width * 1.2f, pixel), o.axis, palm);
  }
  float back = o.back * wrinkle * (middle_joint && !thumb ? 1.0f : 0.6f);
  if (back > 0.01f && fabsf(x) < 0.012f) {
    // Wrinkles bow around the middle of the knuckle.
    float arc = x * (1.0f + 0.5f * sq(o.lateral)) + bend, spacing = 0.0021f, phase = arc / spacing - floorf(arc / spacing) - 0.5f;
    float where = bell(x, 0.0055f) * (1.0f - 0.6f * sq(o.lateral));
    carve(n, dark, groove(phase * spacing, 0.0006f, pixel), o.axis, 0.75f * back * where * fine);
    *dark += 0.16f * back * where;
    *red += 0.35f * o.back * where;
  }
  (void)p;
}
DEVICE void back_of_palm(const Scene& s, const Capsule& c, const Spot& o, V p, const float* look, float pixel, V* n, float* dark, float* red, float* blue) {
  float seed = HAND_LOOK(look, c.hand, seed), wrinkle = HAND_LOOK(look, c.hand, wrinkle);
  for (int j = 0; j < s.near_count; j++) {
    const Capsule& q = s.all[s.near[j]];
    if (q.hand != c.hand || q.role < 0) continue;
    if (q.role == 0 && q.group >= 2) {  // knuckles
      V d = p - q.a; d = d - o.dorsal * dot(d, o.dorsal);
      float k = bell(length(d), 0.0075f) * o.back, lines = dot(d, unit(q.ab)) / 0.0019f;
      *red += 0.45f * k;
      lines += 1.6f * noise(p * 260.0f);
      *dark += wrinkle * 0.30f * k * (0.5f + 0.8f * step_up(0.55f, 0.95f, fabsf(2.0f * (lines - floorf(lines)) - 1.0f)));
    } else if (q.group == 0 && q.role < 4 && !q.forearm) {  // tendons
      V axis = unit(q.ab), side = unit(cross(o.dorsal, axis));
      float lateral = dot(p - q.a, side), along = dot(p - q.a, q.ab) * q.inverse_square;
      float k = HAND_LOOK(look, c.hand, tendon) * o.back * step_up(0.25f, 0.6f, along) * step_up(1.15f, 0.95f, along) / 0.0022f;
      *n = *n + side * (k * lateral * expf(-sq(lateral / 0.0026f)) );
    }
  }
  const PalmFrame& f = s.palm[c.hand];
  float x = dot(p - f.knuckle, f.across) / f.width, y = dot(p - f.root, f.along) / f.length;
  float v = fabsf(noise(v3(x * 3.2f + seed, y * 1.5f, seed)) + 0.35f * noise(v3(x * 6.0f, y * 3.0f + seed, 9.0f)) - 0.67f);
  *blue += HAND_LOOK(look, c.hand, vein) * o.back * step_up(0.05f, 0.01f, v) * step_up(1.0f, 0.8f, y);
  (void)pixel;
}
DEVICE bool nail(const Capsule& c, const Spot& o, const float* look, V* albedo, V* n, Surface* out, float pixel) {
  if (c.nail < 0.5f) return false;
  float along = (o.free_h - 1.0f) * o.length_m / o.radius, up = dot(*n, o.dorsal);  // in radii, 0 at the capsule's end
  float grown = HAND_LOOK(look, c.hand, nail_length), half = 0.80f + 0.5f * grown, centre = -0.10f + 0.5f * grown;
  float l = o.lateral / 0.78f, a = (along - centre) / half, edge = sqrtf(sqrtf(sq(sq(l)) + sq(sq(a))));
  float soft = fmaxf(pixel / o.radius, 0.08f), inside = step_up(1.0f + soft, 1.0f - soft, edge) * step_up(0.05f, 0.25f, up);
  float rim = bell(edge - 1.04f, 0.08f + 0.5f * soft) * step_up(0.0f, 0.2f, up);
  *albedo = *albedo * (1.0f - 0.42f * rim);
  if (inside < 0.01f) return false;
  V plate = mix3(*albedo, v3(0.80f, 0.50f, 0.44f), HAND_LOOK(look, c.hand, nail_pale));
  plate = mix3(plate, plate * 0.45f + v3(0.45f, 0.42f, 0.38f), fmaxf(step_up(0.70f, 0.85f, a + 0.15f * sq(l)), 0.55f * step_up(-0.62f, -0.8f, a - 0.2f * sq(l))));
  plate = mix3(plate, v3(HAND_LOOK(look, c.hand, polish_r), HAND_LOOK(look, c.hand, polish_g), HAND_LOOK(look, c.hand, polish_b)), HAND_LOOK(look, c.hand, polish));
  *albedo = mix3(*albedo, plate, inside);
  // A plate is flatter than the flesh under it, and shines.
  V flat = unit(o.dorsal + o.side * (0.55f * o.lateral) + o.axis * 0.10f);
  *n = unit(mix3(*n, flat, 0.7f * inside));
  out->specular = mixf(out->specular, HAND_LOOK(look, c.hand, nail_gloss), inside);
  out->gloss = mixf(out->gloss, 70.0f, inside);
  return true;
}
DEVICE bool clothes(const Scene& s, const Capsule& c, const Spot& o, const float* look, V p, Surface* out) {
  int g = c.hand;
  V colour = v3(HAND_LOOK(look, g, sleeve_r), HAND_LOOK(look, g, sleeve_g), HAND_LOOK(look, g, sleeve_b));
  V second = v3(HAND_LOOK(look, g, stripe_r), HAND_LOOK(look, g, stripe_g), HAND_LOOK(look, g, stripe_b));
  float from = HAND_LOOK(look, g, sleeve_start), weave = 0.85f + 0.3f * noise(p * 900.0f);
  out->specular = 0.01f; out->gloss = 6.0f; out->wrap = 0.3f;
  if (c.forearm && o.h > from) {
    float along = (o.h - from) * o.length_m, period = HAND_LOOK(look, g, stripe_period);
    float lines = HAND_LOOK(look, g, stripe_around) > 0.5f ? along : dot(p - c.a, o.side);
    float stripe = lines / period - floorf(lines / period) < 0.4f ? HAND_LOOK(look, g, stripe) : 0.0f;
    if (along < HAND_LOOK(look, g, cuff)) { stripe = HAND_LOOK(look, g, stripe); weave *= 0.75f + 0.25f * sat(fabsf(along - HAND_LOOK(look, g, cuff)) * 400.0f); }
    out->albedo = mix3(colour, second, stripe) * weave;
    // Folds.
    float fold = noise(v3(along * 60.0f + HAND_LOOK(look, g, seed), dot(p - c.a, o.side) * 25.0f, 3.0f)) - 0.5f;
    out->normal = unit(out->normal + o.axis * (0.9f * fold));
    return true;
  }
  bool band = c.forearm && fabsf(o.h - HAND_LOOK(look, g, band_at)) < HAND_LOOK(look, g, band_width), ring = c.ring && fabsf(o.h - 0.55f) < 0.055f;
  if (band || ring) {
    out->albedo = v3(HAND_LOOK(look, g, metal_r), HAND_LOOK(look, g, metal_g), HAND_LOOK(look, g, metal_b));
    if (band && HAND_LOOK(look, g, dial) > 0.5f && dot(out->normal, o.dorsal) > 0.8f) out->albedo = out->albedo * 0.2f + v3(0.02f, 0.02f, 0.03f);
    out->specular = 0.25f; out->gloss = 40.0f; out->wrap = 0.0f;
    return true;
  }
  if (HAND_LOOK(look, g, glove) > 0.5f && (!c.forearm || o.h < 0.08f)) {
    out->albedo = v3(HAND_LOOK(look, g, glove_r), HAND_LOOK(look, g, glove_g), HAND_LOOK(look, g, glove_b)) * weave;
    out->specular = 0.03f; out->gloss = 14.0f;
    return true;
  }
  (void)s;
  return false;
}
DEVICE_CALL Surface skin(const Scene& s, const float* look, V p, V normal, float pixel) {
  Spot o = locate(s, look, p, normal);
  const Capsule& c = s.all[o.index];
  int g = c.hand;
  Surface out;
  out.normal = normal;
  if (clothes(s, c, o, look, p, &out)) return out;
  float seed = HAND_LOOK(look, g, seed), dark = 0.0f, red = 0.0f, blue = 0.0f;
  V n = normal, seeded = p + v3(seed, seed * 0.7f, seed * 1.3f);
  bool palm_part = c.group == 0 || (c.group == 1 && c.role == 0);
  if (palm_part && o.palm > 0.01f && !(c.forearm && o.h > 0.08f))
    palm_creases(s.palm[g], p, seed, HAND_LOOK(look, g, crease) * o.palm, pixel, &n, &dark);
  if (c.group > 0) finger_lines(c, o, p, seed, HAND_LOOK(look, g, crease), HAND_LOOK(look, g, wrinkle), pixel, &n, &dark, &red);
  if (o.back > 0.01f && !c.forearm) back_of_palm(s, c, o, p, look, pixel, &n, &dark, &red, &blue);
  // Pores and folds, as far as the pixels can show them.
  float shows = sat(1.6f - pixel / 0.0012f), bump = HAND_LOOK(look, g, texture) * shows;
  if (bump > 0.01f) {
    V q = seeded * HAND_LOOK(look, g, texture_scale);
    n = n + v3(noise(q) - 0.5f, noise(q + v3(7.3f, 1.1f, 3.7f)) - 0.5f, noise(q + v3(2.9f, 8.3f, 5.1f)) - 0.5f) * bump;
  }
  float tip = c.nail > 0.5f ? step_up(0.2f, 1.0f, o.h) : 0.0f;
  float blotch = noise(seeded * 55.0f) * 0.6f + noise(seeded * 170.0f) * 0.4f - 0.5f;
  float spots = step_up(0.66f, 0.86f, noise(seeded * 420.0f) * 0.65f + noise(seeded * 900.0f) * 0.35f) * HAND_LOOK(look, g, freckle) * (1.0f - o.palm);
  // The palm's paleness ends at the wrist, softly.
  float below = dot(p - s.palm[g].root, s.palm[g].along) / s.palm[g].length;
  float palm = o.palm * (c.group == 0 ? mixf(0.3f, 1.0f, step_up(-0.45f, 0.05f, below)) : 1.0f);
  float melanin = HAND_LOOK(look, g, melanin) * mixf(1.0f, HAND_LOOK(look, g, palm_melanin), palm);
  melanin *= 1.0f + 0.35f * blotch * HAND_LOOK(look, g, blotch) + 0.25f * o.back * (dark > 0.0f ? fminf(dark, 1.0f) : 0.0f);
  float blood = HAND_LOOK(look, g, blood) + HAND_LOOK(look, g, palm_blood) * palm + HAND_LOOK(look, g, tip_blood) * (tip * (0.35f + 0.65f * o.palm) + red);
  blood += 1.1f * blotch * HAND_LOOK(look, g, blotch);
  V albedo = skin_albedo(melanin + spots * 0.30f, blood + 0.25f * dark, HAND_LOOK(look, g, carotene));
  float shade = 1.0f / (1.0f + 0.85f * dark);
  albedo = albedo * v3(sqrtf(shade), shade, shade);
  albedo = mix3(albedo, albedo * v3(0.72f, 0.84f, 0.92f), blue);
  out.specular = HAND_LOOK(look, g, specular) * (1.0f - 0.5f * sat(dark)); out.gloss = HAND_LOOK(look, g, gloss); out.wrap = HAND_LOOK(look, g, wrap);
  n = unit(n);
  nail(c, o, look, &albedo, &n, &out, pixel);
  out.albedo = albedo; out.normal = n;
  return out;
}

// --- light -----------------------------------------------------------------------------------------------------------
DEVICE_CALL float key_shadow(const Scene& s, const float* look, const float* props, V p, float from) {
  V light = at3(look + LOOK_key_x);
  float open = 1.0f, t = from, sharp = look[LOOK_shadow_sharpness];
  for (int i = 0; i < 14 && t < 0.16f; i++) {
    float d = scene_distance(s, look, props, s.order, s.count, p + light * t);
    open = fminf(open, sharp * d / t);
    if (open < 0.01f) break;
    t += fmaxf(d, 0.003f);
  }
  open = sat(open);
  return open * open * (3.0f - 2.0f * open);
}
DEVICE float occlusion(const Scene& s, const float* look, const float* props, V p, V n) {
  float sum = 0.0f, weight = 1.0f;
  for (int i = 1; i <= 3; i++) {
    float q = 0.005f * i;
    sum += weight * sat((q - scene_distance(s, look, props, s.order, s.count, p + n * q)) / q);
    weight *= 0.75f;
  }
  return sat(1.0f - look[LOOK_occlusion] * sum / 1.6f);
}
DEVICE V lobe(V n, V view, V light, V colour, const Surface& m) {
  V half = unit(light - view);
  float f = 0.04f + 0.96f * powf(sat(1.0f + dot(view, half)), 5.0f);
  float k = m.specular * (m.gloss + 8.0f) * 0.04f * powf(sat(dot(n, half)), m.gloss) * (0.5f + 8.0f * f) * sat(dot(n, light) * 4.0f);
  return colour * k;
}
DEVICE V lit(const float* look, const Surface& m, V view, float shadow, float open) {
  V n = m.normal, key = at3(look + LOOK_key_x), fill = at3(look + LOOK_fill_x);
  V key_colour = at3(look + LOOK_key_r), fill_colour = at3(look + LOOK_fill_r);
  shadow = mixf(1.0f, shadow, look[LOOK_shadow]);
  // Light that has gone through flesh is red: the red terminator lies farther round, and shadows have warm edges.
  V wrap = v3(m.wrap, 0.38f * m.wrap, 0.25f * m.wrap);
  float d = dot(n, key), e = dot(n, fill);
  V diffuse = v3(sat((d + wrap.x) / (1 + wrap.x)) * powf(shadow, 1.0f - wrap.x), sat((d + wrap.y) / (1 + wrap.y)) * shadow, sat((d + wrap.z) / (1 + wrap.z)) * shadow);
  V second = v3(sat((e + wrap.x) / (1 + wrap.x)), sat((e + wrap.y) / (1 + wrap.y)), sat((e + wrap.z) / (1 + wrap.z)));
  float up = 0.5f + 0.5f * dot(n, at3(look + LOOK_up_x));
  V around = mix3(at3(look + LOOK_ground_r), at3(look + LOOK_sky_r), up);
  V warm = v3(powf(open, 0.75f), open, powf(open, 1.1f));
  V light = key_colour * diffuse + (fill_colour * second + around) * warm;
  float grazing = powf(sat(1.0f + dot(n, view)), 4.0f) * look[LOOK_rim] * open;
  return m.albedo * light + lobe(n, view, key, key_colour * shadow, m) + lobe(n, view, fill, fill_colour * open, m) + around * grazing;
}

// --- a pixel ---------------------------------------------------------------------------------------------------------
DEVICE void plane_shade(const Scene& s, const float* look, const float* props, V ray, float* shade) {
  // How dark the hand makes a table or wall behind it: contact and cast shadow.
  V n = at3(look + LOOK_plane_x);
  float facing = dot(n, ray);
  if (look[LOOK_plane_on] < 0.5f || facing > -0.03f) return;
  V p = ray * (look[LOOK_plane_d] / facing);
  float contact = sat(scene_distance(s, look, props, s.order, s.count, p) / 0.02f);
  if (contact >= 1.0f && dot(n, at3(look + LOOK_key_x)) < 0.1f) return;
  float open = dot(n, at3(look + LOOK_key_x)) > 0.1f ? key_shadow(s, look, props, p, 0.002f) : 1.0f;
  *shade = mixf(1.0f, open, look[LOOK_plane_shadow]) * mixf(1.0f, 0.45f + 0.55f * sqrtf(contact), look[LOOK_occlusion]);
}
DEVICE int which(const Scene& s, const float* look, const float* props, V p, int* prop) {
  // 0 the target, 1 the other hand, 2 an object.
  float best = FAR_AWAY, h; int hand = 0;
  for (int j = 0; j < s.near_count; j++) {
    const Capsule& c = s.all[s.near[j]];
    float d = capsule_distance(c, p, look, &h);
    if (d < best) { best = d; hand = c.hand; }
  }
  for (int i = 0; i < PROPS; i++)
    if (s.sees_prop[i]) {
      float d = prop_distance(props + i * PROP_FLOATS, p);
      // Skin bulges beyond its capsules where they join.
      if (d < best - 0.0005f) { best = d; hand = 2; *prop = i; }
    }
  return hand;
}
DEVICE Surface object_surface(const float* o, V p, V n) {
  Surface m;
  float along = dot(p - at3(o), at3(o + 3)), lines = along * 45.0f + o[0] * 31.0f;
  m.albedo = at3(o + 13) * (lines - floorf(lines) < 0.3f && o[12] - floorf(o[12]) > 0.2f ? 0.55f : 1.0f);
  m.normal = n; m.specular = 0.08f; m.gloss = 30.0f; m.wrap = 0.02f;
  return m;
}
DEVICE void shade_pixel(const Scene& s, const Picture& a, int b, int u, int v, float* out) {
  const float *look = a.looks + b * LOOKS, *w = a.window + b * 3, *props = a.props + b * PROPS * PROP_FLOATS;
  int pixels = a.H * a.W;
  float* o = out + (size_t)b * CHANNELS * pixels + v * a.W + u;
  for (int i = 0; i < CHANNELS; i++) o[i * pixels] = i == 6 ? 1.0f : 0.0f;
  float nx = w[0] + (u * 192.0f / a.W - 96.0f) / 256.0f * w[2], ny = w[1] + ((float)v / a.H - 0.5f) * w[2];
  V ray = unit(v3(nx, ny, 1.0f));
  float t = s.t_from, cone = w[2] / a.H * ray.z, closest = FAR_AWAY, closest_t = t;
  bool hit = false;
  if (s.near_count > 0 || s.sees_prop[0] || s.sees_prop[1])
    for (int i = 0; i < 64 && t < s.t_to; i++) {
      float d = scene_distance(s, look, props, s.near, s.near_count, ray * t);
      if (d < 0.00012f) { hit = true; break; }
      if (d / t < closest) { closest = d / t; closest_t = t; }
      t += d * 0.92f;
    }
  // A ray that just misses counts in part: soft edges without more rays.
  float cover = hit ? 1.0f : sat(1.0f - closest / cone);
  if (cover < 1.0f) plane_shade(s, look, props, ray, &o[6 * pixels]);
  if (cover <= 0.02f) return;
  if (!hit) t = closest_t;
  V p = ray * t;
  float e = fmaxf(0.0003f, 0.4f * cone * t);
  float n0 = scene_distance(s, look, props, s.near, s.near_count, p + v3(e, -e, -e)), n1 = scene_distance(s, look, props, s.near, s.near_count, p + v3(-e, -e, e));
  float n2 = scene_distance(s, look, props, s.near, s.near_count, p + v3(-e, e, -e)), n3 = scene_distance(s, look, props, s.near, s.near_count, p + v3(e, e, e));
  V n = unit(v3(n0 - n1 - n2 + n3, -n0 - n1 + n2 + n3, -n0 + n1 - n2 + n3));
  int prop = 0, what = which(s, look, props, p, &prop);
  Surface m = what == 2 ? object_surface(props + prop * PROP_FLOATS, p, n) : skin(s, look, p, n, cone * t);
  float open = occlusion(s, look, props, p, n);
  float shadow = dot(n, at3(look + LOOK_key_x)) > -0.3f ? key_shadow(s, look, props, p + n * 0.0012f, 0.0025f) : 0.0f;
  V colour = lit(look, m, ray, shadow, open);
  o[0] = colour.x; o[pixels] = colour.y; o[2 * pixels] = colour.z; o[3 * pixels] = cover;
  o[4 * pixels] = what == 0 ? cover : 0.0f;
  o[5 * pixels] = p.z;
}

DEVICE void tile_bounds(const Picture& a, int b, int tu, int tv, float* k) {
  const float* w = a.window + b * 3;
  k[0] = w[0] + (tu * TILE * 192.0f / a.W - 96.0f) / 256.0f * w[2];
  k[1] = w[0] + ((tu + 1) * TILE * 192.0f / a.W - 96.0f) / 256.0f * w[2];
  k[2] = w[1] + ((float)tv * TILE / a.H - 0.5f) * w[2];
  k[3] = w[1] + ((float)(tv + 1) * TILE / a.H - 0.5f) * w[2];
}
DEVICE void prepare(Scene* s, const Picture& a, int b, int tu, int tv, int thread, int threads) {
  const float *look = a.looks + b * LOOKS, *other = a.other + b * a.N * 12;
  load_hand(s, a, look, a.capsules + b * a.N * 12, 0, thread, threads);
  load_hand(s, a, look, other, 1, thread, threads);
  SYNC;
  if (thread < 2) {
    add_webs(s, a.N, thread); set_palm(s, a.N, thread);
    if (threads == 1) { add_webs(s, a.N, 1); set_palm(s, a.N, 1); }
  }
  SYNC;
  float k[4];
  tile_bounds(a, b, tu, tv, k);
  set_order(s, (other[3] > 0.0f ? 2 : 1) * (a.N + WEBS), thread, threads);
  SYNC;
  look_for(s, k, thread, threads);
  SYNC;
  if (thread == 0) cull(s, a.props + b * PROPS * PROP_FLOATS, k);
  SYNC;
}

#ifdef __CUDACC__
extern "C" __global__ void render(const float* capsules, const int* groups, const float* other, const float* looks,
                                  const float* window, const float* props, float* out, int N, int H, int W) {
  __shared__ Scene s;
  Picture a = {capsules, other, looks, window, props, groups, N, H, W};
  prepare(&s, a, blockIdx.z, blockIdx.x, blockIdx.y, threadIdx.x, blockDim.x);
  int u = blockIdx.x * TILE + threadIdx.x % TILE, v = blockIdx.y * TILE + threadIdx.x / TILE;
  if (u < W && v < H) shade_pixel(s, a, blockIdx.z, u, v, out);
}
#else
extern "C" void render(const float* capsules, const int* groups, const float* other, const float* looks,
                       const float* window, const float* props, float* out, int B, int N, int H, int W) {
  Picture a = {capsules, other, looks, window, props, groups, N, H, W};
#pragma omp parallel for schedule(dynamic)
  for (int b = 0; b < B; b++)
    for (int tv = 0; tv * TILE < H; tv++)
      for (int tu = 0; tu * TILE < W; tu++) {
        Scene s;
        prepare(&s, a, b, tu, tv, 0, 1);
        for (int v = tv * TILE; v < H && v < (tv + 1) * TILE; v++)
          for (int u = tu * TILE; u < W && u < (tu + 1) * TILE; u++) shade_pixel(s, a, b, u, v, out);
      }
}
#endif
