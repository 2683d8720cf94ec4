"""How a picture looks: lights, skin, nails, clothes, and what is held. Drawn at random, in torch, for a whole batch.

Knows nothing of poses. Which numbers there are, and in which order, is render_layout.py's.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from training.constants import constant
from training.render_layout import FIELDS, HAND_FIELDS, place


class Dice:
    """Draws a batch of numbers at a time on one device."""

    def __init__(self, count: int, device: torch.device) -> None:
        self.count = count
        self.device = device

    def uniform(self, low: float, high: float, *shape: int) -> Tensor:
        """(B, *shape) evenly between two numbers."""
        return torch.rand(self.count, *shape, device=self.device) * (high - low) + low

    def normal(self, *shape: int) -> Tensor:
        """(B, *shape) with mean 0 and deviation 1."""
        return torch.randn(self.count, *shape, device=self.device)

    def chance(self, probability: float, *shape: int) -> Tensor:
        """(B, *shape) 1 with a probability, else 0."""
        return (torch.rand(self.count, *shape, device=self.device) < probability).float()

    def direction(self, mean: tuple[float, float, float], spread: float) -> Tensor:
        """(B, 3) unit vectors around one."""
        return torch.nn.functional.normalize(constant(mean, self.device) + spread * self.normal(3), dim=1)

    def colour(self, saturation: float = 0.5) -> Tensor:
        """(B, 3) linear colours of objects and cloth: often white, black or grey, seldom vivid."""
        value = self.uniform(0.05, 1.0, 1) ** 1.6
        return value * (1 - saturation * self.uniform(0, 1, 1) ** 1.5 * self.uniform(0, 1, 3))

    def light_colour(self) -> Tensor:
        """(B, 3) white, from lamp to sky."""
        warmth = 0.25 * self.normal()
        return torch.stack([1 + 0.25 * warmth, torch.ones_like(warmth), 1 - 0.3 * warmth], 1).clamp(0.3, 1.8)


@torch.no_grad()
def sample(count: int, device: torch.device) -> Tensor:
    """(B, LOOKS) one look for each picture; no surface behind the hand yet, see `put_on_plane`."""
    dice = Dice(count, device)
    values = {**_lights(dice), **_no_plane(dice)}
    tone = dice.uniform(0, 1)
    rows = [_row(values, FIELDS, dice)]
    # The other hand is often the same person's.
    other_tone = torch.where(dice.chance(0.6) > 0, tone, dice.uniform(0, 1))
    rows += [_row(_hand(dice, each), HAND_FIELDS, dice) for each in (tone, other_tone)]
    return torch.cat(rows, dim=1)


def _row(values: Mapping[str, Tensor], names: tuple[str, ...], dice: Dice) -> Tensor:
    """(B, fields) values in the contract's order; a missing one is an error."""
    return torch.stack([values[name].expand(dice.count) for name in names], dim=1)


def _spread(prefix: str, values: Tensor, parts: str) -> dict[str, Tensor]:
    return {f"{prefix}_{part}": values[:, i] for i, part in enumerate(parts)}


def _lights(dice: Dice) -> dict[str, Tensor]:
    """From overcast (all around) to a lamp or the sun (one side), mostly from above and from the camera's side."""
    hardness = dice.uniform(0, 1, 1)
    key = dice.direction((0.0, -0.6, -0.8), 0.7)
    fill = dice.direction((0.0, -0.1, -0.3), 1.0)
    sky = dice.light_colour() * (0.75 - 0.5 * hardness) * dice.uniform(0.7, 1.2, 1)
    ground = sky * dice.uniform(0.25, 0.9, 1) * (1 - 0.35 * dice.uniform(0, 1, 3))
    return {
        **_spread("key", key, "xyz"),
        **_spread("key", dice.light_colour() * (0.25 + 0.85 * hardness), "rgb"),
        **_spread("fill", fill, "xyz"),
        **_spread("fill", dice.light_colour() * dice.uniform(0, 0.45, 1) * dice.chance(0.6, 1), "rgb"),
        **_spread("up", dice.direction((0.0, -1.0, -0.2), 0.35), "xyz"),
        **_spread("sky", sky, "rgb"),
        **_spread("ground", ground, "rgb"),
        "occlusion": dice.uniform(0.5, 1.0),
        "shadow": dice.uniform(0.35, 1.0),
        "shadow_sharpness": 3 * torch.exp(dice.uniform(0, 2.5)),
        "rim": dice.uniform(0, 0.3),
    }


def _no_plane(dice: Dice) -> dict[str, Tensor]:
    zero = torch.zeros(dice.count, device=dice.device)
    names = ("plane_x", "plane_y", "plane_z", "plane_d", "plane_on", "plane_shadow")
    return dict.fromkeys(names, zero)


def _hand(dice: Dice, tone: Tensor) -> dict[str, Tensor]:
    """One hand's own; `tone` (B,) 0 lightest to 1 darkest skin."""
    return {**_skin(dice, tone), **_surface(dice), **_nails(dice), **_clothes(dice), **_jewels(dice)}


def _skin(dice: Dice, tone: Tensor) -> dict[str, Tensor]:
    """Pigments. Palms have little melanin, however dark the back; on light skin they show by their blood."""
    melanin = 0.02 + tone**1.3
    return {
        "melanin": melanin,
        "blood": dice.uniform(0.0, 0.45),
        "carotene": dice.uniform(0.0, 0.8),
        # The darker the skin, the larger the share that a palm lacks.
        "palm_melanin": (1 - 0.75 * tone**0.7 + 0.1 * dice.normal()).clamp(0.28, 1.0),
        "palm_blood": dice.uniform(0.05, 0.5),
        "tip_blood": dice.uniform(0.05, 0.8),
        "blotch": dice.uniform(0.0, 0.6),
        "freckle": dice.uniform(0.0, 1.0) * dice.chance(0.15),
    }


def _surface(dice: Dice) -> dict[str, Tensor]:
    oily = dice.uniform(0, 1)
    return {
        "crease": dice.uniform(0.25, 1.2),
        "wrinkle": dice.uniform(0.15, 1.2),
        "tendon": dice.uniform(0.0, 0.45),
        "vein": dice.uniform(0.0, 0.7) * dice.chance(0.6),
        "texture": dice.uniform(0.0, 0.5),
        "texture_scale": dice.uniform(400, 1100),
        "seed": dice.uniform(0, 90),
        "specular": 0.03 + 0.14 * oily**2,
        "gloss": 6 + 26 * oily,
        "wrap": dice.uniform(0.1, 0.45),
    }


def _nails(dice: Dice) -> dict[str, Tensor]:
    grown = torch.where(dice.chance(0.2) > 0, dice.uniform(0.2, 0.9), dice.uniform(-0.1, 0.15))
    vivid = dice.uniform(0, 0.8, 3) * constant((1.0, 0.5, 0.6), dice.device)
    return {
        "nail_length": grown,
        "nail_pale": dice.uniform(0.1, 0.6),
        "nail_gloss": dice.uniform(0.03, 0.25),
        "polish": dice.chance(0.15) * dice.uniform(0.7, 1.0),
        **_spread("polish", vivid, "rgb"),
    }


def _clothes(dice: Dice) -> dict[str, Tensor]:
    sleeve = dice.chance(0.45)
    return {
        "sleeve_start": torch.where(sleeve > 0, dice.uniform(0.04, 0.6), torch.full_like(sleeve, 2.0)),
        "sleeve_thick": dice.uniform(0.002, 0.009),
        **_spread("sleeve", dice.colour(0.7), "rgb"),
        "cuff": dice.uniform(0.01, 0.06) * dice.chance(0.5),
        "stripe": dice.chance(0.35) * dice.uniform(0.3, 1.0),
        "stripe_period": dice.uniform(0.006, 0.05),
        "stripe_around": dice.chance(0.6),
        **_spread("stripe", dice.colour(0.8), "rgb"),
    }


def _jewels(dice: Dice) -> dict[str, Tensor]:
    """A watch or bracelet, a ring, a glove."""
    band, gold = dice.chance(0.18), dice.chance(0.4, 1)
    steel, yellow = (constant(c, dice.device) for c in ((0.45, 0.45, 0.47), (0.6, 0.4, 0.12)))
    metal = torch.where(dice.chance(0.35, 1) > 0, dice.colour(0.8), steel * (1 - gold) + yellow * gold)
    return {
        "band_at": torch.where(band > 0, dice.uniform(0.02, 0.14), torch.full_like(band, -9.0)),
        "band_width": dice.uniform(0.005, 0.035),
        "band_thick": dice.uniform(0.001, 0.004),
        "dial": dice.chance(0.5),
        **_spread("metal", metal, "rgb"),
        "ring_finger": torch.where(dice.chance(0.15) > 0, torch.floor(dice.uniform(2, 6)), torch.zeros_like(band)),
        "glove": dice.chance(0.03),
        **_spread("glove", dice.colour(0.8), "rgb"),
    }


@torch.no_grad()
def put_on_plane(looks: Tensor, capsules: Tensor, probability: float) -> Tensor:
    """(B, LOOKS) with a table or wall behind some hands, touching them or a few centimetres away."""
    dice = Dice(len(looks), looks.device)
    normal = dice.direction((0.0, -0.35, -1.0), 0.3)
    balls = capsules[:, :-2, :8].unflatten(2, (2, 4))
    ends, radii = balls[..., :3], balls[..., 3]
    nearest = ((ends * normal[:, None, None]).sum(-1) - radii).flatten(1).amin(1)
    gap = dice.uniform(0, 0.05) * dice.chance(0.6)
    on = dice.chance(probability) * (nearest < -0.02)
    columns = [*normal.unbind(1), nearest - gap, on, dice.uniform(0.3, 0.9)]
    first = place("plane_x")
    return torch.cat([looks[:, :first], torch.stack(columns, 1), looks[:, first + 6 :]], 1)


def _first_of(groups: Tensor, group: int) -> Tensor:
    """(N,) 1 for a group's first capsule; found by arithmetic, so that nothing waits for the GPU."""
    member = (groups == group).float()
    return member * (member.cumsum(0) == 1)


@torch.no_grad()
def objects(capsules: Tensor, groups: Tensor, strength: float) -> Tensor:
    """(B, PROPS, PROP_FLOATS) what the hand holds, and what stands before it; half size 0 where there is nothing."""
    dice = Dice(len(capsules), capsules.device)
    palm = (groups == 0).float()
    palm = palm * (torch.arange(len(groups), device=groups.device) < len(groups) - 2)
    palm = palm / palm.sum()
    starts, dorsal = capsules[..., :3], (capsules[..., 8:11] * palm[:, None]).sum(1)
    centre = (0.5 * (starts + capsules[..., 4:7]) * palm[:, None]).sum(1)
    knuckles = [(starts * _first_of(groups, group)[:, None]).sum(1) for group in (2, 5)]
    across = torch.nn.functional.normalize(knuckles[0] - knuckles[1], dim=1)
    along = torch.cross(across, dorsal, dim=1)
    along = along * torch.sign(((knuckles[0] + knuckles[1]) / 2 - centre).mul(along).sum(1, keepdim=True))
    held = _object(dice, dice.chance(0.28 * strength))
    size = held[:, 10:11]
    at = centre - dorsal * (0.016 + size + dice.uniform(0, 0.012, 1)) + along * dice.uniform(0.01, 0.06, 1)
    axis = torch.nn.functional.normalize(across + 0.5 * dice.normal(3), dim=1)
    front = _object(dice, dice.chance(0.15 * strength))
    before = centre * dice.uniform(0.72, 0.95, 1) + 0.05 * dice.normal(3)
    placed = [_placed(held, at, axis, dorsal), _placed(front, before, dice.direction((0, 0, 0), 1.0), -centre)]
    return torch.stack(placed, 1)


_OBJECTS = (
    (0.07, 0.005, 0.005, 1.0),
    (0.09, 0.028, 0.028, 1.0),
    (0.045, 0.038, 0.038, 1.0),
    (0.072, 0.005, 0.036, 0.0),
    (0.05, 0.02, 0.03, 0.0),
)
"""Half sizes, m, and whether round: pen, bottle, cup, phone, box."""


def _object(dice: Dice, on: Tensor) -> Tensor:
    """(B, PROP_FLOATS) a pen, bottle, cup, phone or box, not yet placed."""
    kind = dice.uniform(0, 5).floor().long()
    table = constant(_OBJECTS, dice.device)[kind]
    sizes = table[:, :3] * dice.uniform(0.7, 1.35, 1) * on[:, None]
    striped = 0.3 * dice.chance(0.4)
    axes = torch.zeros(dice.count, 9, device=dice.device)
    return torch.cat([axes, sizes, (table[:, 3] + striped)[:, None], dice.colour(0.9)], 1)


def _placed(thing: Tensor, centre: Tensor, axis: Tensor, normal: Tensor) -> Tensor:
    """(B, PROP_FLOATS) at a place, its long axis along one direction, its thin one near another."""
    thin = normal - (normal * axis).sum(1, keepdim=True) * axis
    thin = torch.nn.functional.normalize(thin, dim=1)
    return torch.cat([centre, axis, thin, thing[:, 9:]], 1)
