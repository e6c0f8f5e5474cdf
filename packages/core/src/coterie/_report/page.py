"""The page of a report."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

from .._errors import ConfigError
from .._runs.settings import settings_text
from .tables import interval_text, remarks, shown


def render_page(**content: Any) -> str:
    """Fill the template ``page.html``; every text is escaped.

    Args:
        content: What the template names.

    Returns:
        A page that needs no other file, no network and no script.

    Raises:
        ConfigError: jinja2 is not installed.
    """
    try:
        from jinja2 import Environment, StrictUndefined
    except ImportError as error:
        raise ConfigError('reports need jinja2: pip install "coterie-core[report]"') from error
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {
        "shown": shown,
        "percent": lambda share: f"{100 * share:.1f} %",
        "settings": settings_text,
    }
    environment.globals |= {"interval": interval_text, "remarks": remarks}
    template = files(__package__).joinpath("page.html").read_text(encoding="utf-8")
    return environment.from_string(template).render(content)
