"""The live table as text: what it tells, and that it fits."""

import pytest

pytest.importorskip("rich")

from rich.cells import cell_len

from coterie import MetricRow
from coterie._progress.interface import MemberView, View
from coterie._progress.state import state_of
from coterie._progress.table import clock, lines_of, number, short


def shown(state, width=80, height=24, **more):
    return [line.plain for line in lines_of(state, width, height, **more)]


def metric(member, name, value):
    return MetricRow(timestep=1, env_steps=1, wall_time=0, member=member, name=name, value=value)


def seen(run, returns, statuses=None, shares=None):
    state = state_of(run)
    statuses = statuses or ["active"] * len(returns)
    views = [MemberView(*pair) for pair in zip(statuses, returns, strict=True)]
    state.see(View(members=views, shares=shares or {}))
    return state


def test_what_it_tells(make_run):
    run = make_run(["lr-0.001", "lr-0.01", "new"])
    state = state_of(run)
    for value in (1.0, 2.0, 8.0):
        state.see(
            View(
                members=[
                    MemberView("active", value),
                    MemberView("failed" if value == 8.0 else "active", value),
                    MemberView("active", None),
                ],
                shares={"environment": 0.25, "members": 0.7, "members/x": 0.1, "other": 0.05},
            )
        )
    state.done, state.seconds, state.pace, state.checkpoint = 250, 61.0, 1000.0, 12_345
    state.take([metric("lr-0.001", "loss/value", 5.0), metric("lr-0.001", "loss/policy", -0.0123)])
    assert shown(state) == [
        "train CartPole-v1  ━━━━━───────────────  250/1,000  0:01:01<0:00:01",
        "6k steps/s  environment 25%  members 70%  other 5%  checkpoint at 12,345",
        f"member    status     return  so far{' ' * 22}  loss/policy   steps/s",
        f"lr-0.001  active       8.00  ▁▂█{' ' * 25}      -0.0123        2k",
        f"lr-0.01   failed       2.00  ▁█{' ' * 26}            -         -",
        f"new       active          -  {' ' * 28}            -        2k",
    ]


def test_the_time_left_is_unknown_at_first(make_run):
    assert shown(state_of(make_run(["a"])))[0].endswith("0/1,000  0:00:00<?")


@pytest.mark.parametrize("width", [20, 40, 60, 79, 80, 81, 120, 300])
@pytest.mark.parametrize("height", [5, 10, 24, 60])
@pytest.mark.parametrize("count", [1, 2, 16, 21, 500])
def test_it_fits_every_terminal(make_run, width, height, count):
    names = [f"member-{k}" * (1 + k % 4) for k in range(count)]
    names[-1] = "名前の長いメンバー" * 5
    state = seen(make_run(names), [float(k) for k in range(count)])
    state.checkpoint, state.done, state.pace = 10**9, 777, 1e-9
    state.take([metric(name, "loss/a_very_long_name", 1e-300) for name in names])
    for ascii_only in (False, True):
        lines = shown(state, width, height, ascii_only=ascii_only)
        assert all(cell_len(line) <= width for line in lines)
        assert len(lines) <= max(height - 1, 5)
        if ascii_only:
            assert all(line.isascii() for line in lines if "名" not in line)


def test_sixteen_members_fit_24_lines_of_80_columns_in_full(make_run):
    names = [f"ppo-lr-0.0003-{k:02d}" for k in range(16)]
    state = seen(make_run(names), [-1234.5678] * 16, ["active"] * 16)
    for member in state.members[::2]:
        member.status = "stopped"
    state.take([metric(name, "loss/policy", -1.234e-5) for name in names])
    state.pace = 1e6
    lines = shown(state)
    assert [line.split()[0] for line in lines[3:]] == names
    assert all("-1234.6" in line for line in lines[3:])
    assert not any("…" in line for line in lines)


def test_where_not_all_fit_the_best_and_the_worst_are_shown(make_run):
    names = [f"m{k}" for k in range(100)]
    returns = [float(k % 50) for k in range(100)]
    returns[77], returns[88] = 1000.0, -1000.0
    state = seen(make_run(names), returns, ["failed" if k > 95 else "active" for k in range(100)])
    lines = shown(state, height=12)
    assert [line.split()[0] for line in lines[3:-1]] == ["m0", "m1", "m2", "m3", "m4", "m77", "m88"]
    assert lines[-1] == (
        "and 93 more, 4 of them failed; the best and the worst are among those shown"
    )


def test_where_nothing_is_known_the_first_are_shown(make_run):
    state = seen(make_run([f"m{k}" for k in range(9)]), [None] * 9)
    assert [line.split()[0] for line in shown(state, height=8)[3:-1]] == ["m0", "m1", "m2"]


@pytest.mark.parametrize("status", ["failed", "stopped"])
def test_a_member_that_acts_no_more_keeps_what_it_had(make_run, status):
    state = seen(make_run(["a"]), [5.0])
    state.see(View(members=[MemberView(status, 5.0)]))
    before = state.members[0].history.points()
    state.see(View(members=[MemberView(status, -100.0)]))
    (member,) = state.members
    assert (member.mean_return, member.history.points()) == (5.0, before)


def test_what_a_member_stopped_with_is_shown(make_run):
    state = seen(make_run(["a"]), [5.0])
    state.see(View(members=[MemberView("stopped", 30.0)]))
    (member,) = state.members
    assert (member.mean_return, member.history.points()) == (30.0, [5.0, 30.0])


@pytest.mark.parametrize(
    ("losses", "expected"),
    [
        ({"loss/value": 1.0, "loss/policy": 2.0}, ("loss/policy", 2.0)),
        ({"loss/critic": 1.0, "loss/actor": 2.0}, ("loss/actor", 2.0)),
        ({"loss/own": 3.0, "x": 1.0}, ("loss/own", 3.0)),
        ({"loss": 4.0, "loss/policy": 1.0}, ("loss", 4.0)),
        ({"losses": 4.0, "loss_scale": 1.0}, None),
    ],
)
def test_which_loss_is_shown(make_run, losses, expected):
    state = state_of(make_run(["a", "b"]))
    state.take([metric("a", name, value) for name, value in losses.items()])
    assert [member.loss for member in state.members] == [expected, None]
    title = lines_of(state, 80, 24)[2].plain
    assert ("loss" in title) == (expected is not None)


def test_a_run_that_goes_on_begins_where_it_was(make_run):
    assert "400/1,000" in lines_of(state_of(make_run(["a"]), 400), 80, 24)[0].plain


def test_different_losses_have_one_heading(make_run):
    state = state_of(make_run(["a", "b"]))
    state.take([metric("a", "loss/policy", 1.0), metric("b", "loss/q", 2.0)])
    assert "     loss  " in lines_of(state, 80, 24)[2].plain


@pytest.mark.parametrize(
    ("write", "value", "text"),
    [
        (number, 0.0, "0.00"),
        (number, -99.994, "-99.99"),
        (number, 1234.56, "1234.6"),
        (number, -123456.0, "-1.23e+05"),
        (number, float("nan"), "nan"),
        (short, 0.25, "0.25"),
        (short, 999.0, "999"),
        (short, 15_300.0, "15.3k"),
        (short, 2e9, "2G"),
        (clock, 59.6, "0:01:00"),
        (clock, 3_725.0, "1:02:05"),
        (clock, 86_400 * 3.5, "3d 12h"),
    ],
)
def test_numbers(write, value, text):
    assert write(value) == text
