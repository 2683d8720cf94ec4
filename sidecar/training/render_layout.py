"""The numbers that `render.cu` takes for each picture, their names and order; and its source with those names in it.

Needs neither torch nor a GPU.
"""

from pathlib import Path

FIELDS = (
    *("key_x", "key_y", "key_z", "key_r", "key_g", "key_b"),
    *("fill_x", "fill_y", "fill_z", "fill_r", "fill_g", "fill_b"),
    *("up_x", "up_y", "up_z", "sky_r", "sky_g", "sky_b", "ground_r", "ground_g", "ground_b"),
    *("occlusion", "shadow", "shadow_sharpness", "rim"),
    *("plane_x", "plane_y", "plane_z", "plane_d", "plane_on", "plane_shadow"),
)
"""The scene's: unit directions towards lights, their linear colours; amounts 0 to 1; the surface behind the hand, m."""

HAND_FIELDS = (
    *("melanin", "blood", "carotene", "palm_melanin", "palm_blood", "tip_blood", "blotch", "freckle"),
    *("crease", "wrinkle", "tendon", "vein", "texture", "texture_scale", "seed"),
    *("specular", "gloss", "wrap"),
    *("nail_length", "nail_pale", "nail_gloss", "polish", "polish_r", "polish_g", "polish_b"),
    *("sleeve_start", "sleeve_thick", "sleeve_r", "sleeve_g", "sleeve_b", "cuff"),
    *("stripe", "stripe_period", "stripe_around", "stripe_r", "stripe_g", "stripe_b"),
    *("band_at", "band_width", "band_thick", "dial", "metal_r", "metal_g", "metal_b", "ring_finger"),
    *("glove", "glove_r", "glove_g", "glove_b"),
)
"""Each hand's, twice over in a row of looks: the target's, then the other's."""

LOOKS = len(FIELDS) + 2 * len(HAND_FIELDS)
PROPS, PROP_FLOATS = 2, 16
"""An object: centre (3), unit axes u and v (6), half sizes along u, v, u x v (3), 1 if round about u, colour (3)."""


def place(name: str, hand: int = 0) -> int:
    """The column of a field in a row of looks."""
    if name in FIELDS:
        return FIELDS.index(name)
    return len(FIELDS) + hand * len(HAND_FIELDS) + HAND_FIELDS.index(name)


CHANNELS = 7
"""What the kernel writes: linear red, green, blue; cover; the target's mask; depth, m; the background's shade."""


def source() -> str:
    """The kernel's source, with the columns of the looks."""
    lines = [f"#define LOOK_{name} {place(name)}" for name in (*FIELDS, *HAND_FIELDS)]
    lines += [f"#define LOOKS {LOOKS}", f"#define LOOK_HAND_STRIDE {len(HAND_FIELDS)}"]
    return "\n".join([*lines, Path(__file__).with_name("render.cu").read_text()])
