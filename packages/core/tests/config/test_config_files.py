"""Configuration files: what is read, and what each kind of damage gets."""

import pytest

from coterie import ConfigError
from coterie._config.files import read_mapping

WANTED = {"seed": 3, "rate": 0.001, "trainer": {"sizes": [1, 2], "headless": True}}
SAME = {
    "a.toml": "seed = 3\nrate = 1e-3\n[trainer]\nsizes = [1, 2]\nheadless = true\n",
    "a.yaml": "seed: 3\nrate: 1e-3\ntrainer:\n  sizes: [1, 2]\n  headless: true\n",
    "a.yml": "{seed: 3, rate: 0.001, trainer: {sizes: [1, 2], headless: true}}",
    "a.json": '{"seed": 3, "rate": 1e-3, "trainer": {"sizes": [1, 2], "headless": true}}',
    "A.TOML": "seed = 3\nrate = 0.001\ntrainer = {sizes = [1, 2], headless = true}\n",
}


@pytest.mark.parametrize("name", SAME)
def test_the_three_formats_give_the_same(tmp_path, name):
    (tmp_path / name).write_text(SAME[name])
    read = read_mapping(tmp_path / name)
    assert read == WANTED
    assert type(read["rate"]) is float
    assert read_mapping(str(tmp_path / name)) == WANTED


def test_a_byte_order_mark_is_no_obstacle(tmp_path):
    (tmp_path / "a.toml").write_bytes(b"\xef\xbb\xbfseed = 3\n")
    assert read_mapping(tmp_path / "a.toml") == {"seed": 3}


@pytest.mark.parametrize(
    ("text", "value"),
    [("1e-3", 0.001), ("-2E+4", -20000.0), ("1.5e2", 150.0), ("1.e3", 1000.0), ("12", 12)],
)
def test_yaml_numbers_with_an_exponent_are_numbers(tmp_path, text, value):
    (tmp_path / "a.yaml").write_text(f"x: {text}\n")
    assert read_mapping(tmp_path / "a.yaml") == {"x": value}


BROKEN = {
    "syntax.toml": ("a = 1\nb = = 2\n", "at line 2"),
    "twice.toml": ("a = 1\na = 2\n", "Cannot overwrite a value"),
    "syntax.yaml": ("a: 1\nb: [1, 2\nc: 3\n", r"no valid YAML: .* \(at line 3, column 2\)"),
    "twice.yaml": ("a: 1\na: 2\n", r"the key 'a' is given twice \(at line 2, column 1\)"),
    "two.yaml": ("a: 1\n---\nb: 2\n", "no valid YAML: but found another document"),
    "object.yaml": ("a: !!python/object/apply:os.system ['true']\n", "could not determine a con"),
    "tag.yaml": ("a: !!python/name:os.system\n", "could not determine a constructor"),
    "cycle.yaml": ("a: &a [*a]\n", "more than 100 levels"),
    "date.yaml": ("a: 2024-13-45\n", "can't be read"),
    "syntax.json": ('{"a": 1,\n "b": }', "line 2 column 7"),
    "twice.json": ('{"a": 1, "a": 2}', "the key 'a' is given twice"),
    "list.json": ("[1, 2]", "must hold a table of settings, got a list"),
    "empty.yaml": ("", "must hold a table of settings, got nothing"),
    "text.yaml": ("hello", "must hold a table of settings, got a str"),
    "empty.json": ("", "can't be read"),
    "huge.json": ('{"a": ' + "9" * 5000 + "}", "can't be read"),
    "huge.toml": ("a = " + "9" * 5000 + "\n", "can't be read"),
    "deep.json": ("[" * 100_000 + "]" * 100_000, "nested too deeply"),
    "deep.yaml": ("[" * 1000 + "]" * 1000, "nested too deeply"),
    "levels.json": ('{"a": ' * 150 + "1" + "}" * 150, "more than 100 levels"),
    "binary.toml": (b"a = '\xff'", "no UTF-8 text"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_damage_is_a_config_error_that_names_the_file(tmp_path, name):
    content, reason = BROKEN[name]
    file = tmp_path / name
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ConfigError, match=reason) as caught:
        read_mapping(file)
    assert str(file) in str(caught.value)


def test_references_that_would_blow_up_are_refused(tmp_path):
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 9)]
    (tmp_path / "bomb.yaml").write_text("\n".join(lines))
    with pytest.raises(ConfigError, match="more than 1000000 values"):
        read_mapping(tmp_path / "bomb.yaml")


def test_references_of_an_ordinary_size_are_read(tmp_path):
    (tmp_path / "a.yaml").write_text("base: &b {lr: 0.1}\none:\n  <<: *b\n  n: 1\ntwo: *b\n")
    assert read_mapping(tmp_path / "a.yaml") == {
        "base": {"lr": 0.1},
        "one": {"lr": 0.1, "n": 1},
        "two": {"lr": 0.1},
    }


def test_a_large_file_is_refused(tmp_path):
    (tmp_path / "a.json").write_text('{"a": "' + "x" * 10_000_000 + '"}')
    with pytest.raises(ConfigError, match="larger than 10 MB"):
        read_mapping(tmp_path / "a.json")


@pytest.mark.parametrize("name", ["a.ini", "a", "a.py", "toml"])
def test_another_ending_is_refused(tmp_path, name):
    (tmp_path / name).write_text("x")
    with pytest.raises(ConfigError, match=r"ends in \.toml, \.yaml, \.yml, \.json; got"):
        read_mapping(tmp_path / name)


def test_a_missing_file_is_answered_with_the_nearest(tmp_path):
    (tmp_path / "experiment.toml").write_text("")
    (tmp_path / "experimnt.txt").write_text("")
    with pytest.raises(ConfigError, match=r"there is no file .*; did you mean 'experiment\.toml'"):
        read_mapping(tmp_path / "experimnt.toml")


def test_a_missing_folder_and_a_folder_are_told(tmp_path):
    with pytest.raises(ConfigError, match=r"there is no folder .*nowhere"):
        read_mapping(tmp_path / "nowhere" / "a.toml")
    (tmp_path / "d.toml").mkdir()
    with pytest.raises(ConfigError, match="is a folder, not a file"):
        read_mapping(tmp_path / "d.toml")
