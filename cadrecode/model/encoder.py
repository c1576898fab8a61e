"""From a point cloud to tokens that a language model can read.

Two encoders. `fourier` is CAD-Recode's, one token a point, so that its published checkpoints load. `patch` gathers
the cloud into a few local patches and lets them look at each other: a short prompt, which is what a CPU can afford.
Neither keeps buffers: a non-persistent buffer is garbage after `from_pretrained` on transformers 5.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields

import torch
from torch import nn
from torch.nn import functional

from cadrecode.errors import Message, ModelError
from cadrecode.model.spectrum import HEARD_POINTS, LEVELS_WIDTH, cloud_levels, cloud_spectrum, spectrum_width

NUM_FREQUENCIES = 8
POINT_FEATURES = 3 * (1 + 2 * NUM_FREQUENCIES)  # xyz, a sine and a cosine per frequency: 51
POINT_FEATURES_WITH_NORMALS = POINT_FEATURES + 3  # CAD-Recode v1: 54
POINT_FEATURES_OF_WAYS = 2 * POINT_FEATURES  # CADReasoner: a point and a way from it, 102
RELATIVE_SCALE = 4.0  # a patch of 16 of 256 points is about a quarter of the cloud wide; this brings it to -1..1
DECAY = 0.5**0.5  # of a patch's features from a frequency to the next: at equal amplitude, the high frequencies, which
# say little about the shape as a whole, would drown the low frequencies
HEAD_WIDTH = 32
TOKEN_STD = 0.25  # of a fresh patch token. Much smaller tokens would drown in the output of the first layers, and much
# larger ones would drown it; word embeddings start at 0.02 and grow to about this in a small model.
LEVELS_STD = 1 / 3  # nine of the inputs are 1 and the others 0: what is made of them has a deviation of 1
FOURIER_STD = 0.02  # of the fresh published projection, as the rest of a Qwen model


@dataclass(frozen=True)
class PointEncoderSettings:
    """The settings in `config.point_encoder`.

    Args:
        kind: "fourier" (CAD-Recode's, a token for each point) or "patch".
        n_points: points that the encoder is trained with, and so the points to sample.
        n_tokens: tokens of a cloud; for "fourier" always n_points.
        inputs: "fourier" only: features of a point, 51, 54 for checkpoints trained with normals (v1), or 102 for
            CADReasoner's.
        neighbours: "patch" only: points in a patch.
        width: "patch" only: inner width; 0 means the language model's.
        layers: "patch" only: transformer layers over the patches.
        frequencies: "patch" only: of the cloud's spectrum, which is added to every token with the counts of its
            faces; 0 for neither.
    """

    kind: str = "fourier"
    n_points: int = 256
    n_tokens: int = 0
    inputs: int = POINT_FEATURES
    neighbours: int = 16
    width: int = 0
    layers: int = 2
    frequencies: int = 0

    def __post_init__(self):
        if self.kind not in ("fourier", "patch"):
            raise ModelError("point_encoder.kind is {kind!r}; it can be 'fourier' or 'patch'.", kind=self.kind)
        if self.inputs not in (POINT_FEATURES, POINT_FEATURES_WITH_NORMALS, POINT_FEATURES_OF_WAYS):
            raise ModelError(
                "point_encoder.inputs is {inputs}; it can be {plain}, {with_normals} for a checkpoint with normals, or "
                "{ways} for CADReasoner's.",
                inputs=self.inputs,
                plain=POINT_FEATURES,
                with_normals=POINT_FEATURES_WITH_NORMALS,
                ways=POINT_FEATURES_OF_WAYS,
            )
        if self.kind == "patch" and self.inputs != POINT_FEATURES:
            raise ModelError("A patch encoder reads x, y, z alone: point_encoder.inputs must be 51.")
        if self.kind == "fourier":
            if self.n_tokens not in (0, self.n_points):
                raise ModelError(
                    "A fourier encoder makes one token a point, so n_tokens ({n_tokens}) must be n_points "
                    "({n_points}).",
                    n_tokens=self.n_tokens,
                    n_points=self.n_points,
                )
            object.__setattr__(self, "n_tokens", self.n_points)
        elif self.n_tokens == 0:
            object.__setattr__(self, "n_tokens", 32)
        low = [n for n in ("n_points", "n_tokens", "neighbours") if getattr(self, n) < 1]
        low += [n for n in ("width", "layers", "frequencies") if getattr(self, n) < 0]
        if low:
            raise ModelError(
                "point_encoder.{name} is {value}, which is too small.", name=low[0], value=getattr(self, low[0])
            )

    @classmethod
    def of(cls, values: dict | None) -> PointEncoderSettings:
        """The settings in a config's `point_encoder`; CAD-Recode's settings if it is missing.

        Raises: ModelError: an unknown name or an impossible value.
        """
        values = dict(values or {})
        known = [field.name for field in fields(cls)]
        unknown = [name for name in values if name not in known]
        if unknown:
            raise ModelError(
                "point_encoder has no setting {name!r}; it has {names}.", name=unknown[0], names=", ".join(known)
            )
        return cls(**values)

    @property
    def columns(self) -> int:
        """Columns of a point: x, y, z, and a normal if the checkpoint was trained with normals."""
        return _columns(self.inputs)

    @property
    def heard_points(self) -> int:
        """Points that follow the n_points of a view, for the cloud's spectrum alone."""
        return HEARD_POINTS if self.frequencies else 0

    def to_dict(self) -> dict:
        """The settings for config.json."""
        return asdict(self)


def _columns(inputs: int) -> int:
    """Columns of a point, by its features."""
    return 6 if inputs == POINT_FEATURES_WITH_NORMALS else 3


def ways_to_the_centre(points: torch.Tensor) -> torch.Tensor:
    """(B, N, 3) MODEL -> (B, N, 6): points and ways, as CADReasoner sees a cloud for which there is no program yet.

    Each of the first half of the points, and its way to the centre; then the centre, and its way to each of the others.
    """
    first, others = points.split(((points.shape[1] + 1) // 2, points.shape[1] // 2), dim=1)
    return torch.cat((torch.cat((first, -first), -1), torch.cat((torch.zeros_like(others), others), -1)), dim=1)


def fourier_features(points: torch.Tensor, unit: float, decay: float = 1.0) -> torch.Tensor:
    """(..., 3) float32 -> (..., 51): the coordinates, their sines, their cosines, at frequencies unit * 2^0..2^7.

    As many features for each further coordinate.

    Args:
        decay: sines and cosines of frequency k are multiplied by decay^k.
    """
    steps = torch.arange(NUM_FREQUENCIES, dtype=points.dtype, device=points.device)
    angles = points.unsqueeze(-1) * (unit * 2.0**steps)  # (..., 3, 8)
    waves = (angles.sin(), angles.cos())
    if decay != 1:
        waves = tuple(wave * decay**steps for wave in waves)
    return torch.cat((points, *(wave.flatten(-2) for wave in waves)), dim=-1)  # (..., 51)


def linear(inputs: int, outputs: int, std: float | None = None) -> nn.Linear:
    """A float32 layer that carries the standard deviation of its fresh weights, 1 / sqrt(inputs) by default.

    The network draws them in `_init_weights`, which transformers calls layer by layer for whatever a checkpoint lacks
    (but not for a module without weights of its own, like the encoder as a whole). The dtype is explicit, because
    from_pretrained builds the model under the dtype of the language model.
    """
    layer = nn.Linear(inputs, outputs, dtype=torch.float32)
    layer.fresh_std = inputs**-0.5 if std is None else std
    return layer


class FourierPointEncoder(nn.Module):
    """CAD-Recode's encoder: Fourier features of each point through one linear layer, in float32.

    Args:
        hidden_size: width of the language model.
        inputs: 51, 54 for v1 checkpoints, whose points carry a normal, or 102 for CADReasoner's, which was trained to
            improve a program: its features are those of points and of ways to the other part.
    """

    def __init__(self, hidden_size: int, inputs: int = POINT_FEATURES):
        super().__init__()
        self.projection = linear(inputs, hidden_size, FOURIER_STD)

    def forward(self, points: torch.Tensor) -> torch.Tensor:
        """(B, N, 3) MODEL -> (B, N, hidden). With 54 inputs (B, N, 6): xyz and unit normal.

        Raises: ModelError: the cloud lacks the normals that the checkpoint was trained with, or has others.
        """
        columns = _columns(self.projection.in_features)
        if points.shape[-1] != columns:
            wanted = "(x, y, z)"
            if columns == 6:
                wanted = Message("(x, y, z, nx, ny, nz): this checkpoint was trained with normals")
            raise ModelError(
                "The point cloud has {n} columns; the encoder needs {columns} {wanted}.",
                n=points.shape[-1],
                columns=columns,
                wanted=wanted,
            )
        with torch.autocast(points.device.type, enabled=False):
            points = points.float()
            if self.projection.in_features == POINT_FEATURES_OF_WAYS:
                features = fourier_features(ways_to_the_centre(points), unit=math.pi)  # (B, N, 102)
            else:
                features = fourier_features(points[..., :3], unit=1.0)  # (B, N, 51)
                features = torch.cat((features, points[..., 3:]), dim=-1)  # (B, N, 51 or 54)
            return self.projection(features.to(self.projection.weight.dtype))


class PatchPointEncoder(nn.Module):
    """A few tokens, each for a patch of the surface, with attention among the patches.

    Centres are chosen by farthest-point sampling from the point farthest from the origin, so the tokens do not depend
    on the order of the points. A patch is its centre's nearest neighbours relative to the centre, through a small MLP
    and a maximum over the patch; the position of the centre is added (Fourier features resolve 1 CODE unit), and the
    mean and maximum of an MLP over all points of the cloud. Without these last two, the model was slow to learn even
    the axis of a part. Without the cloud's spectrum it was slow to learn the spacing of rows, and without the counts of
    faces their number; added before the layers over the patches, both were drowned.

    Args:
        hidden_size: width of the language model.
        settings: kind "patch".
    """

    def __init__(self, hidden_size: int, settings: PointEncoderSettings):
        super().__init__()
        width = settings.width or hidden_size
        self.n_points, self.n_tokens, self.neighbours = settings.n_points, settings.n_tokens, settings.neighbours
        self.local_in = linear(POINT_FEATURES, width)
        self.local_out = linear(width, width)
        self.mix_in = linear(width, width)
        self.mix_out = linear(width, width)
        self.place = linear(POINT_FEATURES, width)
        self.whole_in = linear(POINT_FEATURES, width)
        self.whole_out = linear(width, width)
        self.frequencies = settings.frequencies
        if self.frequencies:
            self.spectrum_in = linear(spectrum_width(self.frequencies), width)
            self.levels_in = linear(LEVELS_WIDTH, width, LEVELS_STD)
            self.spectrum_out = linear(width, hidden_size, TOKEN_STD / 2 * width**-0.5)
        self.blocks = nn.ModuleList(PatchBlock(width, settings.layers) for _ in range(settings.layers))
        self.norm = nn.LayerNorm(width, dtype=torch.float32)
        self.projection = linear(width, hidden_size, TOKEN_STD * width**-0.5)

    def forward(self, points: torch.Tensor) -> torch.Tensor:
        """(B, N, 3) MODEL -> (B, n_tokens, hidden). With a spectrum, it is that of the points after the first n_points.

        Raises: ModelError: other columns than x, y, z, or fewer points than tokens.
        """
        if points.shape[-1] != 3:
            raise ModelError("The point cloud has {n} columns; the encoder needs 3 (x, y, z).", n=points.shape[-1])
        if points.shape[1] < self.n_tokens:
            raise ModelError(
                "The cloud has {n} points; the encoder needs {n_tokens} or more.",
                n=points.shape[1],
                n_tokens=self.n_tokens,
            )
        with torch.autocast(points.device.type, enabled=False):
            dtype = self.place.weight.dtype
            with torch.no_grad():
                points = points.float()
                if self.frequencies:
                    whole = points[:, self.n_points :] if points.shape[1] > self.n_points else points
                    heard = cloud_spectrum(whole, self.frequencies).to(dtype)  # (B, 15 * frequencies)
                    levels = cloud_levels(whole).to(dtype)  # (B, LEVELS_WIDTH)
                    points = points[:, : self.n_points]
                centre, patch = patches(points, self.n_tokens, self.neighbours)  # (B, T), (B, T, K)
                row = torch.arange(len(points), device=points.device)[:, None]
                around = (points[row.unsqueeze(-1), patch] - points[row, centre].unsqueeze(2)) * RELATIVE_SCALE
                around = self._features(around).to(dtype)  # (B, T, K, 51)
                where = self._features(points).to(dtype)  # (B, N, 51)
            local = self.local_out(functional.gelu(self.local_in(around))).amax(dim=2)  # (B, T, width)
            tokens = self.mix_out(functional.gelu(self.mix_in(local))) + self.place(where[row, centre])
            whole = self.whole_out(functional.gelu(self.whole_in(where)))  # (B, N, width)
            tokens = tokens + whole.mean(dim=1, keepdim=True) + whole.amax(dim=1, keepdim=True)
            for block in self.blocks:
                tokens = block(tokens)
            tokens = self.projection(self.norm(tokens))  # (B, T, hidden)
            if self.frequencies:
                said = functional.gelu(self.spectrum_in(heard) + self.levels_in(levels))
                tokens = tokens + self.spectrum_out(said).unsqueeze(1)
            return tokens

    @staticmethod
    def _features(points: torch.Tensor) -> torch.Tensor:
        return fourier_features(points, unit=math.pi / 2, decay=DECAY)


class PatchBlock(nn.Module):
    """A pre-norm transformer layer over the patches of a cloud; every patch attends to every other."""

    def __init__(self, width: int, depth: int):
        super().__init__()
        small = (2 * depth) ** -0.5  # residual branches start small, so that depth does not inflate the tokens
        self.heads = max(h for h in range(1, max(1, width // HEAD_WIDTH) + 1) if width % h == 0)
        self.attention_norm = nn.LayerNorm(width, dtype=torch.float32)
        self.attention_in = linear(width, 3 * width)
        self.attention_out = linear(width, width, small * width**-0.5)
        self.mlp_norm = nn.LayerNorm(width, dtype=torch.float32)
        self.mlp_in = linear(width, 2 * width)
        self.mlp_out = linear(2 * width, width, small * (2 * width) ** -0.5)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """(B, T, width) -> (B, T, width)."""
        joint = self.attention_in(self.attention_norm(tokens)).unflatten(-1, (3, self.heads, -1))
        query, key, value = joint.permute(2, 0, 3, 1, 4)  # each (B, heads, T, width / heads)
        attended = functional.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2)
        tokens = tokens + self.attention_out(attended)
        return tokens + self.mlp_out(functional.gelu(self.mlp_in(self.mlp_norm(tokens))))


@torch.no_grad()
def farthest_points(points: torch.Tensor, n: int, first: torch.Tensor) -> torch.Tensor:
    """Farthest-point sampling, on the device of the points.

    Args:
        points: (B, N, 3) float32.
        n: number of points to choose, at most N.
        first: (B,) int64, the first point of each cloud.
    Returns: (B, n) int64 indices, each of the point farthest from those before it.
    """
    if points.is_cuda:
        return _captured(tuple(points.shape), n, points.device)(points, first)
    return _farthest_points(points, n, first)


def _farthest_points(points: torch.Tensor, n: int, first: torch.Tensor) -> torch.Tensor:
    axes = points.permute(2, 0, 1).contiguous()  # (3, B, N): sums over the first dimension are the fast ones
    row = torch.arange(len(points), device=points.device)
    nearest = torch.full(points.shape[:2], torch.inf, device=points.device)  # squared, to those chosen so far
    chosen = torch.empty((len(points), n), dtype=torch.int64, device=points.device)
    current = first
    for i in range(n):
        chosen[:, i] = current
        distance = (axes - axes[:, row, current].unsqueeze(-1)).square_().sum(0)  # (B, N)
        torch.minimum(nearest, distance, out=nearest)
        current = nearest.argmax(dim=1)
    return chosen


@functools.lru_cache(maxsize=4)
def _captured(
    shape: tuple[int, ...], n: int, device: torch.device
) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
    """`_farthest_points` as a CUDA graph: launched one by one, its thousands of small kernels would wait for Python."""
    points = torch.zeros(shape, device=device)
    first = torch.zeros(shape[0], dtype=torch.int64, device=device)
    aside = torch.cuda.Stream(device)
    aside.wait_stream(torch.cuda.current_stream(device))
    with torch.cuda.stream(aside):
        _farthest_points(points, min(n, 3), first)  # a capture must not be a kernel's first call
    torch.cuda.current_stream(device).wait_stream(aside)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        chosen = _farthest_points(points, n, first)

    def replay(new_points: torch.Tensor, new_first: torch.Tensor) -> torch.Tensor:
        points.copy_(new_points)
        first.copy_(new_first)
        graph.replay()
        return chosen.clone()

    return replay


@torch.no_grad()
def patches(points: torch.Tensor, n_patches: int, size: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Spread centres over each cloud, and find the points around them.

    Args:
        points: (B, N, 3) float32.
        n_patches: at most N.
        size: points of a patch, cut to N.
    Returns: (B, n_patches) int64 centres; (B, n_patches, size) int64 members, in no order, with the centre.
    """
    centre = farthest_points(points, n_patches, points.square().sum(-1).argmax(dim=1))
    row = torch.arange(len(points), device=points.device)[:, None]
    axes = points.permute(2, 0, 1)  # (3, B, N)
    distance = sum((axis.unsqueeze(1) - axis[row, centre].unsqueeze(2)).square_() for axis in axes)  # (B, T, N)
    members = distance.topk(min(size, points.shape[1]), dim=-1, largest=False, sorted=False)
    return centre, members.indices


def build_point_encoder(values: dict | PointEncoderSettings | None, hidden_size: int) -> nn.Module:
    """The encoder that a config's `point_encoder` describes.

    Raises: ModelError: an unknown name or an impossible value in it.
    """
    settings = values if isinstance(values, PointEncoderSettings) else PointEncoderSettings.of(values)
    if settings.kind == "patch":
        return PatchPointEncoder(hidden_size, settings)
    return FourierPointEncoder(hidden_size, settings.inputs)
