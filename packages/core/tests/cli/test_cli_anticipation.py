"""``coterie train`` lets a trainer begin what takes long before it is made."""

import pytest

from coterie import SequentialTrainer, TrainerCfg
from coterie._cli.main import main
from coterie.plugins import TrainerPlugin, hookimpl, register

RUN = ("train", "testing:Counting-v0", "--agent", "sum", "--members", "2", "--num-envs", "4")
QUICK = ("--timesteps", "3", "--trainer", "early")


class Early(SequentialTrainer):
    kind = "early"


class Told(list):
    plugin = None


@pytest.fixture
def told(made_envs, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    told = Told()

    class Plugin:
        error = None

        @hookimpl
        def coterie_trainers(self):
            def load():
                told.append("class")
                return Early

            def anticipate(experiment):
                told.append(experiment)
                if Plugin.error:
                    raise Plugin.error

            yield TrainerPlugin(
                name="early", summary="", config=TrainerCfg, loader=load, anticipate=anticipate
            )

    register(Plugin(), name="tests-early")
    told.plugin = Plugin
    return told


def test_it_is_told_of_the_experiment_before_its_class_is_loaded(told):
    assert main([*RUN, *QUICK]) == 0
    experiment = told[0]
    assert (experiment.trainer.name, len(experiment.members)) == ("early", 2)
    assert set(told[1:]) == {"class"}


def test_what_goes_wrong_with_it_costs_nothing(told, caplog):
    told.plugin.error = OSError("no more processes")
    assert main([*RUN, *QUICK]) == 0
    assert "trainer early could not get ready ahead: OSError: no more processes" in caplog.text


def test_nothing_is_begun_for_what_is_refused(told):
    assert main([*RUN, *QUICK, "--trainer-set", "timestep=3"]) == 2
    assert told == []
