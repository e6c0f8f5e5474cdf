"""The public face, and the plugin without torch."""

import subprocess
import sys

import pytest

import coterie_agents
from coterie_agents._plugin import coterie_agents as offer


def test_exports_are_sorted_and_real():
    # As ruff sorts: abbreviations in capitals, then classes, then functions.
    order = sorted(coterie_agents.__all__, key=lambda n: (not n.isupper(), n.islower(), n))
    assert list(coterie_agents.__all__) == order
    for name in coterie_agents.__all__:
        assert getattr(coterie_agents, name).__doc__
    assert set(coterie_agents.__all__) <= set(dir(coterie_agents))
    with pytest.raises(AttributeError, match="no attribute 'PPOO'"):
        _ = coterie_agents.PPOO


def test_plugin_offers_the_agents():
    records = {record.name: record for record in offer()}
    assert {"a2c", "ddpg", "dqn", "ppo", "rpo", "sac", "td3"} <= set(records)
    for name, record in records.items():
        agent = record.loader()
        assert agent.kind == name
        assert agent is getattr(coterie_agents, agent.__name__)
        assert record.config is agent.config_class
        assert record.config is getattr(coterie_agents, f"{agent.__name__}Cfg")


def test_plugin_does_not_import_torch():
    code = (
        "import sys, coterie_agents, coterie_agents._plugin as p; list(p.coterie_agents());"
        "print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
