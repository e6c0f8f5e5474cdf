"""A run that was made with settings of one trainer goes on under another, which lacks them."""

from __future__ import annotations

from pathlib import Path

import pytest

from coterie._cli.main import main

TRAIN = ("train", "torch:CartPole-v1", "--members", "2", "--num-envs", "4", "--timesteps", "20")


def test_settings_that_the_other_trainer_lacks_stay_behind(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = str(tmp_path / "run")
    own = ("--trainer", "parallel", "--trainer-set", "processes=1")
    assert main([*TRAIN, *own, "--run-dir", run]) == 0
    assert main(["resume", run, "--timesteps", "30", "--trainer", "sequential"]) == 0
    more = ("--trainer-set", "processes=1")
    again = ("resume", run, "--timesteps", "40", "--trainer", "sequential", *more)
    assert main(again) == 2  # what is asked for now is never dropped
    assert "processes" in capsys.readouterr().err
