"""The base of agents' settings, free of torch: plugins name it before anything is loaded."""

from __future__ import annotations

from attrs import frozen


@frozen(kw_only=True)
class AgentCfg:
    """Settings of an agent that has none; the base of those that do."""
