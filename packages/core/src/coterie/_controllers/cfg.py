"""Configuration of controllers. Free of torch."""

from __future__ import annotations

from attrs import frozen


@frozen(kw_only=True)
class ControllerCfg:
    """Base for the settings of controllers; it holds none itself."""
