"""Settings of MAPPO. Free of torch."""

from __future__ import annotations

from attrs import frozen

from .._ippo.cfg import IPPOCfg


@frozen(kw_only=True)
class MAPPOCfg(IPPOCfg):
    """Settings of :class:`~coterie_agents.MAPPO` (Yu et al. 2022, arXiv:2103.01955).

    They are those of :class:`~coterie_agents.IPPOCfg`. Of what the paper recommends,
    ``value_normalization`` is on; few epochs (5 to 15) and few mini-batches (1 or 2) are yours
    to choose, and so is a larger value network (``model.value_hidden_sizes``).
    """
