"""Settings that may differ between stacked members, as tensors."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from attrs import frozen

from .._learning.settings import stack_field, stack_limit
from .cfg import PPOCfg


@frozen(kw_only=True, eq=False)
class Hyper:
    """One number per member, ``[P]`` each; limits that are switched off are infinite.

    Attributes:
        discount_factor: Gamma.
        gae_lambda: Lambda.
        ratio_clip: Clip of the probability ratio.
        value_clip: Clip of values; ``None``: no member has one.
        entropy_loss_scale: Weight of the entropy bonus.
        value_loss_scale: Weight of the value loss.
        grad_norm_clip: Largest norm of the gradient; ``None``: no member has one.
        kl_target: Target of the adaptive learning rate.
        kl_threshold: Divergence that ends an update; ``None``: no member has one.
    """

    discount_factor: torch.Tensor
    gae_lambda: torch.Tensor
    ratio_clip: torch.Tensor
    value_clip: torch.Tensor | None
    entropy_loss_scale: torch.Tensor
    value_loss_scale: torch.Tensor
    grad_norm_clip: torch.Tensor | None
    kl_target: torch.Tensor
    kl_threshold: torch.Tensor | None


def stack_settings(cfgs: Sequence[PPOCfg], dtype: torch.dtype, device: torch.device) -> Hyper:
    """Lay the settings of members side by side."""

    def stack(name: str) -> torch.Tensor:
        return stack_field(cfgs, name, dtype, device)

    def limit(name: str) -> torch.Tensor | None:
        return stack_limit(cfgs, name, dtype, device)

    return Hyper(
        discount_factor=stack("discount_factor"),
        gae_lambda=stack("gae_lambda"),
        ratio_clip=stack("ratio_clip"),
        value_clip=limit("value_clip"),
        entropy_loss_scale=stack("entropy_loss_scale"),
        value_loss_scale=stack("value_loss_scale"),
        grad_norm_clip=limit("grad_norm_clip"),
        kl_target=stack("kl_target"),
        kl_threshold=limit("kl_threshold"),
    )
