"""What is said about versions, plugins, extras and CUDA."""

import pytest

from coterie._doctor.child import Outcome
from coterie._doctor.cuda import check_cuda, find_driver, judge_allocator, judge_devices
from coterie._doctor.plugins import check_extras, judge_plugins, missing
from coterie._doctor.versions import check_libraries, check_packages, check_python

NOTHING = {
    noun: []
    for noun in (
        "trainers",
        "agents",
        "environments",
        "loggers",
        "controllers",
        "failed",
        "disabled",
    )
} | {"duplicates": []}
SOURCE = {"plugin": "lost", "distribution": "lost-and-found", "version": "2.0"}


def test_versions_of_this_installation():
    assert check_python().facts["python"].startswith("3.")
    assert "torch" in check_libraries().facts
    assert check_packages().verdict == "ok"


def test_versions_that_differ_are_a_problem_with_the_line_that_helps():
    found = check_packages({"coterie-core": "0.2.0", "coterie-envs": "0.1.0"})
    assert found.verdict == "problem"
    assert "pip install coterie-core==0.2.0 coterie-envs==0.2.0" in found.advice
    assert check_packages({}).verdict == "note"


def test_plugins_that_failed_or_clash():
    failed = {**SOURCE, "reason": "ImportError: gone", "traceback": "…"}
    kept = {"noun": "agent", "name": "x", "offered_by": [SOURCE, SOURCE], "kept": "coterie-agents"}
    listing = {
        **NOTHING,
        "failed": [failed],
        "duplicates": [kept, {**kept, "name": "y", "kept": None}],
        "disabled": [SOURCE],
    }
    offered, lost, won, tied, left_out = judge_plugins(listing)
    assert (offered.verdict, lost.verdict) == ("ok", "problem")
    assert "ImportError: gone" in lost.value
    assert "COTERIE_DISABLE_PLUGINS=lost-and-found" in lost.advice
    assert (won.verdict, tied.verdict, left_out.verdict) == ("note", "problem", "note")


def test_extras_are_looked_up_in_the_metadata():
    requires = [
        "attrs>=23",
        'pluggy>=1.0; extra == "here"',
        'no-such-thing>=1; extra == "gone"',
        'pluggy>=999; extra == "old"',
        'this is broken; extra == "odd"',
    ]
    assert missing(requires, "here") == []
    assert missing(requires, "gone") == ["no-such-thing"]
    assert missing(requires, "old") == ["pluggy"]
    assert missing(requires, "odd") == []


def test_an_extra_of_an_extra_counts(site):
    site.add("outer_dist", "", dist="outer-dist")
    site.add("inner_dist", "", dist="inner-dist")
    info = site.folder / "inner_dist-1.0.dist-info/METADATA"
    info.write_text(
        info.read_text() + 'Provides-Extra: more\nRequires-Dist: absent; extra == "more"\n'
    )
    assert missing(['inner-dist; extra == "a"'], "a") == []
    assert missing(['inner-dist[more]; extra == "a"'], "a") == ["inner-dist"]
    info = site.folder / "outer_dist-1.0.dist-info/METADATA"
    lines = (
        "Provides-Extra: yes\nProvides-Extra: no\n"
        'Requires-Dist: inner-dist; extra == "yes"\n'
        'Requires-Dist: inner-dist[more]; extra == "no"\n'
    )
    info.write_text(info.read_text() + lines)
    (found,) = check_extras(["outer-dist", "not-installed"])
    assert found.facts == {"installed": ["yes"], "missing": ["no"]}
    assert 'pip install "outer-dist[no]"' in found.value


def probe(**answer):
    content = {"devices": [], "warning": "", "process_bytes": None, **answer}
    return lambda module, arguments, seconds: Outcome(answer=content)


DEVICE = {"name": "Some GPU", "free": 70 * 2**30, "total": 80 * 2**30}


@pytest.mark.parametrize(
    ("built_for", "driver", "answer", "verdicts", "words"),
    [
        (None, None, {}, ["ok"], "none: torch was built without it"),
        (None, "550.1", {}, ["note"], "driver 550.1, but torch was built without CUDA"),
        ("12.4", None, {}, ["ok", "ok"], "none found"),
        ("12.4", "550.1", {"warning": "too old"}, ["note", "ok"], "none found"),
        (
            "12.4",
            "550.1",
            {"devices": [DEVICE], "process_bytes": 2**29},
            ["ok", "ok"],
            "Some GPU (70 GiB free of 80 GiB); CUDA 12.4, driver 550.1; each process takes 512 MiB",
        ),
    ],
)
def test_cuda_devices(built_for, driver, answer, verdicts, words, monkeypatch):
    monkeypatch.setattr("coterie._doctor.cuda.find_driver", lambda: None)
    findings = list(check_cuda({}, built_for, driver, probe(**answer)))
    assert [finding.verdict for finding in findings] == verdicts
    assert words in findings[0].value


def test_a_driver_that_hangs_is_a_problem():
    found = judge_devices(Outcome(answer=None, failure="hung: not over after 9 s"), "12.4", "5")
    assert found.verdict == "problem"
    assert "nvidia-smi" in found.advice


def test_expandable_segments_matter_where_there_are_devices():
    said = {"PYTORCH_CUDA_ALLOC_CONF": "garbage_collection_threshold:0.8,expandable_segments: True"}
    assert judge_allocator(said, devices=True).verdict == "problem"
    assert judge_allocator(said, devices=False).verdict == "note"
    fine = {"PYTORCH_ALLOC_CONF": "expandable_segments:False"}
    assert judge_allocator(fine, devices=True).verdict == "ok"


def test_the_driver_is_read_from_the_kernel(tmp_path):
    path = tmp_path / "version"
    assert find_driver(path) is None
    path.write_text("NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.15  Tue Mar  5\nGCC\n")
    assert find_driver(path) == "550.54.15"
