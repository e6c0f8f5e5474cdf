"""Settings of IPPO. Free of torch."""

from __future__ import annotations

from typing import Literal, TypeAlias

from attrs import frozen

from .._ppo.cfg import PPOCfg

Sharing: TypeAlias = Literal["auto", "shared", "separate"]


@frozen(kw_only=True)
class IPPOCfg(PPOCfg):
    """Settings of :class:`~coterie_agents.IPPO` (de Witt et al. 2020, arXiv:2011.09533).

    Those of :class:`~coterie_agents.PPOCfg`, and

    Attributes:
        sharing: Which actors learn one policy and one value network. ``"shared"``: those with
            equal spaces, one pair of networks for each kind of actor; ``"separate"``: each actor
            has its own; ``"auto"``: shared where all actors have equal spaces, else separate.
            Running statistics, optimisers and learning rates are the networks'.
        actor_id: Whether shared networks also see which actor they act for, as a one-hot vector
            beside the observation.
    """

    sharing: Sharing = "auto"
    actor_id: bool = True
