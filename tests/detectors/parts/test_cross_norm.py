"""CmBN counts the mini-batches of a batch so far, and nothing else is changed."""

from __future__ import annotations

import torch
from torch import nn

from workbench.detectors.parts.cross_norm import CrossNorm2d, cross_norms, use_cross_norms


def pair() -> tuple[CrossNorm2d, nn.BatchNorm2d]:
    torch.manual_seed(0)
    plain = nn.BatchNorm2d(3, momentum=0.01)
    nn.init.uniform_(plain.weight)
    nn.init.uniform_(plain.bias)
    crossed = nn.BatchNorm2d(3, momentum=0.01)
    crossed.load_state_dict(plain.state_dict())
    network = nn.Sequential(crossed)
    use_cross_norms(network)
    return cross_norms(network)[0], plain


def test_one_mini_batch_is_plain_batch_norm_with_its_gradients() -> None:
    crossed, plain = pair()
    images = torch.randn(4, 3, 5, 5)
    leaves = [images.clone().requires_grad_() for _ in range(2)]
    crossed.begin()
    outs = [norm(leaf) for norm, leaf in zip((crossed, plain), leaves, strict=True)]
    torch.testing.assert_close(*outs, rtol=1e-4, atol=1e-5)
    for out in outs:
        (out * torch.arange(25.0).view(5, 5)).sum().backward()
    torch.testing.assert_close(leaves[0].grad, leaves[1].grad, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(crossed.running_mean, plain.running_mean)
    torch.testing.assert_close(crossed.running_var, plain.running_var, rtol=1e-4, atol=1e-6)


def test_the_last_of_four_mini_batches_is_normalised_by_all_four() -> None:
    crossed, plain = pair()
    images = torch.randn(8, 3, 5, 5) * 3 + 1
    crossed.begin()
    outs = [crossed(images[start : start + 2]) for start in range(0, 8, 2)]
    torch.testing.assert_close(outs[-1], plain(images)[6:], rtol=1e-4, atol=1e-4)
    assert not torch.allclose(outs[0], plain(images)[:2], atol=1e-2)


def test_a_new_batch_begins_anew() -> None:
    crossed, plain = pair()
    crossed.begin()
    crossed(torch.randn(2, 3, 5, 5) * 100)
    crossed.begin()
    images = torch.randn(2, 3, 5, 5)
    torch.testing.assert_close(crossed(images), plain(images), rtol=1e-4, atol=1e-5)


def test_in_evaluation_it_is_plain_and_its_numbers_go_by_the_same_names() -> None:
    crossed, plain = (norm.eval() for norm in pair())
    images = torch.randn(2, 3, 5, 5)
    assert torch.equal(crossed(images), plain(images))
    assert crossed.state_dict().keys() == plain.state_dict().keys()
