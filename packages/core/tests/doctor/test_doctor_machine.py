"""What is said about cores, threads, memory and limits, from files and numbers made by hand."""

import os

import pytest

from coterie._doctor.cgroup import cpu_quota, memory_room, process_room
from coterie._doctor.finding import size_text
from coterie._doctor.limits import (
    check_descriptors,
    check_folder,
    check_shared_memory,
    check_start_methods,
    judge_descriptors,
    judge_processes,
)
from coterie._doctor.machine import (
    Cores,
    check_cores,
    check_load,
    check_memory,
    check_threads,
    find_cores,
)

GIB = 2**30


def system(root, **files):
    """Write files of a system; a double underscore stands for a slash, ``cg`` for the mount."""
    for name, text in files.items():
        path = root / name.replace("__", "/").replace("cg/", "sys/fs/cgroup/").replace("=", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def test_no_control_group_is_no_limit(tmp_path):
    assert cpu_quota(tmp_path) is memory_room(tmp_path) is process_room(tmp_path) is None


def test_the_narrowest_of_the_groups_around_counts(tmp_path):
    system(
        tmp_path,
        proc__self__cgroup="0::/outer/inner\n",
        **{
            "cg__outer__cpu=max": "150000 100000\n",
            "cg__outer__inner__cpu=max": "400000 100000\n",
            "cg__outer__inner__memory=max": "max\n",
            "cg__outer__memory=max": f"{4 * GIB}\n",
            "cg__outer__memory=current": f"{GIB}\n",
            "cg__pids=max": "100",
            "cg__pids=current": "40",
        },
    )
    assert cpu_quota(tmp_path) == 1.5
    assert memory_room(tmp_path) == (4 * GIB, 3 * GIB)
    assert process_room(tmp_path) == (100, 60)


def test_version_1_and_paths_of_the_host_are_understood(tmp_path):
    system(
        tmp_path,
        proc__self__cgroup="4:cpu,cpuacct:/docker/abc\n5:memory:/docker/abc\n",
        **{
            "cg__cpu__cpu=cfs_quota_us": "50000",
            "cg__cpu__cpu=cfs_period_us": "100000",
            "cg__memory__memory=limit_in_bytes": str(2**63 - 4096),
        },
    )
    assert cpu_quota(tmp_path) == 0.5
    assert memory_room(tmp_path) is None


def test_version_1_without_a_quota_says_minus_one(tmp_path):
    system(tmp_path, proc__self__cgroup="4:cpu:/\n", **{"cg__cpu__cpu=cfs_quota_us": "-1"})
    system(tmp_path, **{"cg__cpu__cpu=cfs_period_us": "100000"})
    assert cpu_quota(tmp_path) is None


@pytest.mark.parametrize(
    ("cores", "usable", "verdict"),
    [
        (Cores(total=8, allowed=8), 8, "ok"),
        (Cores(total=8, allowed=3), 3, "ok"),
        (Cores(total=8, allowed=8, quota=2.5), 2, "note"),
        (Cores(total=8, allowed=2, quota=4.0), 2, "ok"),
        (Cores(total=8, allowed=8, quota=0.3), 1, "note"),
    ],
)
def test_usable_cores(cores, usable, verdict):
    found = check_cores(cores)
    assert (cores.usable, found.facts["usable"], found.verdict) == (usable, usable, verdict)
    assert bool(found.advice) == (verdict == "note")


def test_the_cores_of_this_machine_are_counted():
    cores = find_cores()
    assert 1 <= cores.usable <= cores.allowed <= cores.total


@pytest.mark.parametrize(
    ("threads", "said", "verdict", "words"),
    [
        (1, None, "ok", ""),
        (1, "1", "ok", ""),
        (4, None, "note", "start scripts with OMP_NUM_THREADS=1"),
        (4, "4", "note", "OMP_NUM_THREADS=4: small networks"),
        (8, "8", "problem", "torch takes 8 threads on 4 cores"),
        (8, None, "note", "torch takes 8 threads on 4 cores"),
    ],
)
def test_threads(threads, said, verdict, words):
    environment = {} if said is None else {"OMP_NUM_THREADS": said}
    found = check_threads(threads, environment, Cores(total=4, allowed=4))
    assert found.verdict == verdict
    assert words in found.advice
    assert bool(words) == bool(found.advice)
    commands = 1 if said is None else threads
    assert f"{commands} in coterie's commands" in found.value


def test_a_busy_machine_is_told_of_but_nothing_is_to_be_changed():
    cores = Cores(total=4, allowed=1)
    assert check_load(1.9, cores).verdict == "ok"
    busy = check_load(2.0, cores)
    assert (busy.verdict, busy.advice) == ("note", "")
    assert check_load(None, cores).value == "not known here"


def test_memory_of_machine_and_container(tmp_path):
    meminfo = f"MemTotal: {64 * 2**20} kB\nMemAvailable: {32 * 2**20} kB\nHugePages_Total: 0\n"
    system(tmp_path, proc__meminfo=meminfo)
    assert check_memory(tmp_path).value == "32 GiB free of 64 GiB"
    system(tmp_path, proc__self__cgroup="0::/\n", **{"cg__memory=max": str(2 * GIB)})
    system(tmp_path, **{"cg__memory=current": str(GIB + GIB // 2)})
    found = check_memory(tmp_path)
    assert "may use 2 GiB, 512 MiB are left" in found.value
    assert (found.verdict, found.facts["limit_free"]) == ("note", GIB // 2)


def test_memory_that_nobody_tells_of_is_no_problem(tmp_path):
    assert check_memory(tmp_path).value == "not known here"


@pytest.mark.parametrize(
    ("soft", "hard", "used", "verdict", "words"),
    [
        (None, None, 5, "ok", ""),
        (20000, 20000, 5, "ok", ""),
        (256, None, 5, "note", "ulimit -n 4096"),
        (256, 512, 5, "note", "ulimit -n 512"),
        (256, 256, 200, "problem", "have the limit raised"),
        (1024, 4096, 1000, "problem", "ulimit -n 4096"),
    ],
)
def test_descriptors(soft, hard, used, verdict, words):
    found = judge_descriptors(soft, hard, used)
    assert found.verdict == verdict
    assert words in found.advice


def test_descriptors_of_this_process_are_counted():
    before = check_descriptors().facts["open"]
    with open(os.devnull):
        assert check_descriptors().facts["open"] == before + 1


def test_processes():
    assert judge_processes(None, None).value == "no limit"
    assert judge_processes(4096, (1000, 900)).verdict == "ok"
    assert judge_processes(None, (1000, 10)).verdict == "note"
    assert judge_processes(32, None).verdict == "note"


def usage(total, free):
    return lambda path: type("Usage", (), {"total": total, "free": free})()


@pytest.mark.parametrize(
    ("total", "free", "verdict", "words"),
    [
        (8 * GIB, 8 * GIB, "ok", ""),
        (2**26, 2**26, "note", "--shm-size"),
        (8 * GIB, 1000, "problem", "is full"),
    ],
)
def test_shared_memory(tmp_path, monkeypatch, total, free, verdict, words):
    monkeypatch.setattr("shutil.disk_usage", usage(total, free))
    found = check_shared_memory(tmp_path)
    assert found.verdict == verdict
    assert words in found.advice


def test_shared_memory_that_is_missing_is_a_problem_on_linux_only(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.platform", "linux")
    assert check_shared_memory(tmp_path / "none").verdict == "problem"
    monkeypatch.setattr("sys.platform", "darwin")
    assert check_shared_memory(tmp_path / "none").verdict == "ok"


def test_start_methods():
    assert check_start_methods().verdict == "ok"
    assert check_start_methods([]).verdict == "problem"


def test_a_folder_that_can_be_made_is_fine_and_is_not_made(tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", usage(GIB, GIB))
    assert check_folder("runs", tmp_path / "a" / "runs").verdict == "ok"
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setattr("shutil.disk_usage", usage(GIB, 1000))
    assert check_folder("runs", tmp_path).verdict == "note"


def test_a_folder_below_a_file_can_not_be_written_to(tmp_path):
    (tmp_path / "file").write_text("")
    found = check_folder("temporary files", tmp_path / "file" / "folder")
    assert found.verdict == "problem"
    assert "TMPDIR" in found.advice


@pytest.mark.parametrize(
    ("size", "text"),
    [(500, "500 bytes"), (1536, "1.5 KiB"), (1023 * 2**20, "1023 MiB"), (23.456 * GIB, "23.5 GiB")],
)
def test_sizes(size, text):
    assert size_text(size) == text
