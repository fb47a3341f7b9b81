"""The objective of a training: two impressions of one picture alike, all others unlike."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

NEAREST = 0.1
"""No pair is pushed apart for being nearer than this: it may be the same picture twice."""


def attraction(one: Tensor, other: Tensor, temperature: float) -> Tensor:
    """Returns the normalised temperature-scaled cross entropy of SimCLR (Chen et al. 2020).

    Args:
        one: unit vectors (n, d) of one impression of each of n pictures.
        other: of another impression of the same pictures, in the same order.
    """
    both = torch.cat([one, other])
    n = len(one)
    cosines = both @ both.T / temperature
    cosines.fill_diagonal_(-torch.inf)  # a view is no other picture than itself
    own = torch.arange(2 * n, device=both.device).roll(n)
    return functional.cross_entropy(cosines, own)


def spreading(vectors: Tensor) -> Tensor:
    """Returns the entropy estimated from nearest neighbours (Kozachenko, Leonenko), negated.

    As in SSCD (Pizzi et al. 2022): it falls the farther every picture is from its nearest other.
    """
    cosines = vectors @ vectors.T
    cosines = cosines - 2 * torch.eye(len(vectors), device=vectors.device)  # not its own nearest
    distance = (2 - 2 * cosines.amax(1)).clamp(min=NEAREST**2).sqrt()
    return -distance.log().mean()


def distillation(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """Returns how much the two differ on which of a batch's pictures are like which.

    The cross entropy of the student's cosines, as probabilities, under the teacher's; their
    vectors may have different lengths.
    """
    n = len(student)
    others = ~torch.eye(n, dtype=torch.bool, device=student.device)
    seen = (student @ student.T / temperature)[others].view(n, n - 1)
    taught = (teacher @ teacher.T / temperature)[others].view(n, n - 1)
    return functional.cross_entropy(seen, taught.softmax(1))
