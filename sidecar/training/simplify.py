"""Fewer, better shaped triangles: collapse, split and flip edges of a surface with one open rim.

Edges are judged by their length relative to a wanted length that varies over the surface. It knows vertices and
triangles, and nothing of hands. Everything is done in a fixed order, so the same input gives the same output.
"""

import heapq
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from training.hand import Floats

Triangle = tuple[int, int, int]
Edge = tuple[int, int]
WantedLength = Callable[[Floats], Floats]
"""From places (P, 3), m, to edge lengths (P,), m."""
Outward = Callable[[Floats], Floats]
"""From places (P, 3), m, to unit directions (P, 3)."""

_LEAST_AGREEMENT = 0.3  # cosine between a triangle and its corners' outward directions: below, it folds over
_WORST_SHAPE = 0.05  # of a triangle: 1 is equilateral, 0 a line


class Surface:
    """Triangles that can be changed one edge at a time.

    Attributes:
        places: where each vertex is, m; None where it is gone.
        fixed: vertices that neither move nor go.
        rim: vertices on the open rim.
    """

    def __init__(self, places: Floats, faces: NDArray[np.int64], wanted: WantedLength, outward: Outward) -> None:
        """Take over a surface.

        Args:
            places: (V, 3) m.
            faces: (F, 3).
            wanted: how long edges shall be.
            outward: where the outside is; no triangle shall face away from it.
        """
        self.places: list[Floats | None] = list(places)
        self.fixed: set[int] = set()
        self._wanted, self._outward = wanted, outward
        self._normals: list[Floats] = list(outward(places))
        self._wishes: list[float] = wanted(places).tolist()
        self._faces: dict[int, Triangle] = {}
        self._around: list[set[int]] = [set() for _ in places]
        self._next_face = 0
        for a, b, c in faces.tolist():
            self._add((a, b, c))
        self.rim = {vertex for edge in self.edges() if len(self._sides(edge)) == 1 for vertex in edge}

    def arrays(self) -> tuple[Floats, NDArray[np.int64], dict[int, int]]:
        """Vertices (V, 3) and triangles (F, 3) without gaps, and the new number of each old vertex."""
        left = [vertex for vertex, place in enumerate(self.places) if place is not None]
        number = {vertex: new for new, vertex in enumerate(left)}
        faces = [[number[vertex] for vertex in face] for face in self._faces.values()]
        return np.array([self.places[vertex] for vertex in left]), np.array(faces), number

    def vertices(self) -> int:
        """How many vertices there are."""
        return sum(place is not None for place in self.places)

    def edges(self) -> list[Edge]:
        """Every edge once, smaller vertex first, sorted."""
        return sorted({edge for face in self._faces.values() for edge in _edges_of(face)})

    def neighbours(self, vertex: int) -> list[int]:
        """Vertices that share an edge with this one, sorted."""
        return sorted({other for face in self._around[vertex] for other in self._faces[face]} - {vertex})

    def rim_loop(self) -> list[int]:
        """The rim's vertices in order, starting at the smallest."""
        loop = [min(self.rim)]
        while True:
            onward = [v for v in self.neighbours(loop[-1]) if v not in loop and self._on_rim((loop[-1], v))]
            if not onward:
                return loop
            loop.append(onward[0])

    def collapse_to(self, vertices: int, rim: int) -> None:
        """Collapse the relatively shortest edges until that many vertices are left, but never fewer on the rim."""
        surplus = self.vertices() - vertices
        for edge in self._shortest_first(self.edges()):
            if surplus <= 0:
                return
            surplus -= self._collapse(edge, rim)

    def collapse_rim_to(self, rim: int) -> None:
        """Collapse the relatively shortest edges of the rim until that many are left."""
        for edge in self._shortest_first([edge for edge in self.edges() if self._on_rim(edge)]):
            if len(self.rim) <= rim:
                return
            self._collapse(edge, rim)

    def split_longest(self, times: int) -> None:
        """Cut the relatively longest edges in half, the rim's excepted."""
        longest = sorted(self.edges(), key=lambda edge: (-self._relative_length(edge), edge))
        for edge in [edge for edge in longest if not self._on_rim(edge)][:times]:
            if len(self._sides(edge)) == 2:
                self._split(edge)

    def flip(self) -> int:
        """Turn every edge whose triangles are better shaped the other way; says how many were turned."""
        return sum(self._flip(edge) for edge in self.edges())

    def move(self, moved: Floats) -> None:
        """Put the vertices, in the order of `arrays`, to new places; fixed ones and the rim's stay.

        So do the corners of triangles that would face inwards, or more so than before.
        """
        vertices, faces, number = self.arrays()
        stay = [new for old, new in number.items() if old in self.fixed or old in self.rim]
        moved = moved.copy()
        moved[stay] = vertices[stay]
        least = np.minimum(_agreements(vertices[faces], self._outward(vertices)[faces]), _LEAST_AGREEMENT)
        for _ in range(3):
            normals = self._outward(moved)
            folded = np.unique(faces[_agreements(moved[faces], normals[faces]) < least])
            if not len(folded):
                break
            moved[folded] = vertices[folded]
        wishes, normals = self._wanted(moved).tolist(), self._outward(moved)
        for old, new in number.items():
            if old not in self.fixed and old not in self.rim:
                self.places[old], self._normals[old], self._wishes[old] = moved[new], normals[new], wishes[new]

    def put(self, vertex: int, place: Floats) -> None:
        """Put a vertex to a place for good."""
        self.places[vertex] = place
        self._normals[vertex] = self._outward(place[None])[0]
        self.fixed.add(vertex)

    def _shortest_first(self, edges: list[Edge]) -> Iterator[Edge]:
        """The edges from the relatively shortest on, with those that appear on the way."""
        queue = [(self._relative_length(edge), edge) for edge in edges]
        heapq.heapify(queue)
        while queue:
            length, edge = heapq.heappop(queue)
            if not self._sides(edge) or length != self._relative_length(edge):
                continue
            yield edge
            for vertex in edge:
                if self.places[vertex] is not None and not self._sides(edge):
                    for other in self.neighbours(vertex):
                        renewed = (min(vertex, other), max(vertex, other))
                        heapq.heappush(queue, (self._relative_length(renewed), renewed))

    def _collapse(self, edge: Edge, least_rim: int) -> bool:
        """Let one end of an edge go, if the surface stays a surface and no triangle folds over."""
        for gone, kept in (edge, edge[::-1]):
            if self._may_go(gone, kept, least_rim) and not self._folds(gone, kept):
                self._remove(gone, kept)
                return True
        return False

    def _may_go(self, gone: int, kept: int, least_rim: int) -> bool:
        if gone in self.fixed:
            return False
        if gone in self.rim and not (self._on_rim((gone, kept)) and len(self.rim) > least_rim):
            return False
        if gone not in self.rim and kept in self.rim and len(set(self.neighbours(gone)) & self.rim) > 2:
            return False  # would leave a triangle that hangs on the rim by its corners
        shared = set(self.neighbours(gone)) & set(self.neighbours(kept))
        return len(shared) == len(self._sides((gone, kept)))  # the link condition

    def _remove(self, gone: int, kept: int) -> None:
        for number in sorted(self._around[gone]):
            face = self._faces[number]
            self._drop(number)
            if kept not in face:
                self._add(_replaced(face, gone, kept))
        self.places[gone] = None
        self.rim.discard(gone)

    def _split(self, edge: Edge) -> None:
        middle = (self._at(edge[0]) + self._at(edge[1])) / 2
        new = len(self.places)
        self.places.append(middle)
        self._wishes.append((self._wishes[edge[0]] + self._wishes[edge[1]]) / 2)
        self._normals.append(self._normals[edge[0]] + self._normals[edge[1]])
        self._around.append(set())
        for number in self._sides(edge):
            face = self._faces[number]
            self._drop(number)
            self._add(_replaced(face, edge[0], new))
            self._add(_replaced(face, edge[1], new))

    def _flip(self, edge: Edge) -> bool:
        sides = self._sides(edge)
        if len(sides) != 2:
            return False
        old = [self._faces[number] for number in sides]
        left, right = (next(v for v in face if v not in edge) for face in old)
        if right in self.neighbours(left) or min(len(self._around[v]) for v in edge) <= 3:
            return False
        new = [_replaced(old[0], edge[0], right), _replaced(old[1], edge[1], left)]
        before, after = (min(_shape(self._triangle(face)) for face in faces) for faces in (old, new))
        straight = min(map(self._agreement, new)) > min(0.8, *map(self._agreement, old))
        if after <= before + 1e-9 or not straight:
            return False
        for number, face in zip(sides, new, strict=True):
            self._drop(number)
            self._add(face)
        return True

    def _folds(self, vertex: int, heir: int) -> bool:
        """Whether a triangle around the vertex would face inwards or become a line if another took its place."""
        for number in self._around[vertex]:
            face = self._faces[number]
            if heir in face:
                continue
            after = _replaced(face, vertex, heir)
            if _shape(self._triangle(after)) < min(_WORST_SHAPE, _shape(self._triangle(face))):
                return True
            if self._agreement(after) < min(_LEAST_AGREEMENT, self._agreement(face)):
                return True
        return False

    def _agreement(self, face: Triangle) -> float:
        """Cosine between a triangle's normal and the outward direction."""
        a, b, c = face
        return _cosine(_normal(self._triangle(face)), self._normals[a] + self._normals[b] + self._normals[c])

    def _relative_length(self, edge: Edge) -> float:
        a, b = edge
        dx, dy, dz = (self._at(a) - self._at(b)).tolist()
        return float((dx * dx + dy * dy + dz * dz) ** 0.5 * 2 / (self._wishes[a] + self._wishes[b]))

    def _on_rim(self, edge: Edge) -> bool:
        return edge[0] in self.rim and edge[1] in self.rim and len(self._sides(edge)) == 1

    def _sides(self, edge: Edge) -> list[int]:
        """The triangles on an edge; none when it is gone."""
        return sorted(self._around[edge[0]] & self._around[edge[1]])

    def _triangle(self, face: Triangle) -> Floats:
        return np.array([self._at(vertex) for vertex in face])

    def _at(self, vertex: int) -> Floats:
        place = self.places[vertex]
        if place is None:
            raise LookupError(f"vertex {vertex} is gone")
        return place

    def _add(self, face: Triangle) -> None:
        self._faces[self._next_face] = face
        for vertex in face:
            self._around[vertex].add(self._next_face)
        self._next_face += 1

    def _drop(self, number: int) -> None:
        for vertex in self._faces.pop(number):
            self._around[vertex].discard(number)


def _edges_of(face: Triangle) -> Iterator[Edge]:
    for a, b in zip(face, (*face[1:], face[0]), strict=True):
        yield (a, b) if a < b else (b, a)


def _replaced(face: Triangle, old: int, new: int) -> Triangle:
    a, b, c = (new if vertex == old else vertex for vertex in face)
    return a, b, c


def _normal(triangle: Floats) -> Floats:
    (ax, ay, az), (bx, by, bz) = (triangle[1:] - triangle[0]).tolist()
    return np.array([ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx])


def _shape(triangle: Floats) -> float:
    """1 for an equilateral triangle, 0 for a line."""
    sides = triangle - triangle[[1, 2, 0]]
    return float(2 * 3**0.5 * np.linalg.norm(_normal(triangle)) / max(float((sides * sides).sum()), 1e-20))


def _agreements(corners: Floats, normals: Floats) -> Floats:
    """Cosines (F,) between triangles (F, 3, 3) and their corners' outward directions (F, 3, 3)."""
    across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    out = normals.sum(axis=1)
    lengths = np.linalg.norm(across, axis=1) * np.linalg.norm(out, axis=1)
    cosines: Floats = (across * out).sum(axis=1) / np.maximum(lengths, 1e-20)
    return cosines


def _cosine(a: Floats, b: Floats) -> float:
    return float(a @ b / max(float(np.linalg.norm(a) * np.linalg.norm(b)), 1e-20))
