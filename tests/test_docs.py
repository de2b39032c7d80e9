"""README and CONTRIBUTING say what there is, and name nothing that is not there."""

import importlib.util
import re
import subprocess
from pathlib import Path

import pytest
import typer.main
import yaml

from benchmarks.cli import app as benchmarks
from ecg_core.cli.app import app
from ecg_core.settings import PREFIX, Settings

PROJECT_DIR = Path(__file__).resolve().parents[1]
DOCS = "\n".join((PROJECT_DIR / name).read_text() for name in ("README.md", "CONTRIBUTING.md"))
CODE = re.findall(r"`([^`\n]+)`", DOCS)


def commands(group: object, prefix: str = "") -> set[str]:
    names: set[str] = set()
    for name, command in group.commands.items():
        names |= commands(command, f"{prefix}{name} ") if hasattr(command, "commands") else {f"{prefix}{name}"}
    return names


def all_commands() -> set[str]:
    below = commands(typer.main.get_command(benchmarks), "benchmark ")
    return (commands(typer.main.get_command(app)) - {"benchmark"}) | below


def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):.*## ", (PROJECT_DIR / "Makefile").read_text(), flags=re.MULTILINE))


def tracked_files() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=PROJECT_DIR, capture_output=True
    )
    if listed.returncode:
        pytest.skip("this is no git checkout")
    paths = [PROJECT_DIR / name for name in listed.stdout.decode().split("\0") if name]
    return [path for path in paths if path.is_file()]


def test_every_command_is_told():
    assert [name for name in sorted(all_commands()) if not re.search(rf"(ecg|make) {name}\b", DOCS)] == []


PAGES = sorted(path.relative_to(PROJECT_DIR).as_posix() for path in (PROJECT_DIR / "docs").rglob("*.md"))


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", *PAGES])
def test_every_command_and_setting_that_is_told_is_there(page):
    there = all_commands()
    groups = {name.split()[0] for name in there if " " in name}
    told_code = re.findall(r"`([^`\n]+)`", (PROJECT_DIR / page).read_text())
    settings = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}
    for name in re.findall(r"\bECG_[A-Z_]*[A-Z]\b(?!_?…)", " ".join(told_code)):
        assert name.removesuffix("_FILE") in settings or name.startswith("ECG_WRITE_"), name
    for words in re.findall(r"(?:^|[`/ ])ecg ([a-z][a-z ]*)", "\n".join(code for code in told_code if "ecg " in code)):
        first, *more = words.split()
        told = f"{first} {more[0]}" if first in groups and more else first
        assert told in there | groups, f"ecg {words}"


def test_every_target_is_told_and_no_other():
    targets = make_targets()
    assert {"test", "test-fast", "test-long"} <= targets
    assert {name for code in CODE for name in re.findall(r"^make ([a-z-]+)", code)} == targets


def test_every_setting_is_told_in_its_own_words():
    rows = {f"| `{PREFIX}{name.upper()}` | {field.description} |" for name, field in Settings.model_fields.items()}
    lines = set(DOCS.splitlines())
    assert sorted(rows - lines) == []
    assert sorted(line for line in lines if line.startswith(f"| `{PREFIX}") and line not in rows) == []


def test_every_path_and_module_that_is_told_is_there():
    folders = ("ecg_core", "benchmarks", "dags", "docs", "plugins", "sql", "templates", "tests")
    paths = {code for code in CODE if re.fullmatch(rf"({'|'.join(folders)})/[\w./-]*", code)}
    paths |= set(re.findall(r"\]\(([^)#:]+)", DOCS))
    assert len(paths) > 20
    assert [path for path in sorted(paths) if not (PROJECT_DIR / path).exists()] == []
    modules = set(re.findall(r"python -m ([\w.]+)", DOCS))
    assert [module for module in sorted(modules) if importlib.util.find_spec(module) is None] == []


def test_every_view_of_the_mart_is_told():
    views = [path.stem for path in sorted((PROJECT_DIR / "sql" / "views").glob("*.sql"))]
    assert [view for view in views if f"`{view}`" not in DOCS] == []


def test_no_file_names_a_package_index():
    # In pieces, or this file would name them.
    hosts = ("pypi" + ".org", "python" + "hosted.org", "registry.npm" + "js.org", "extra-" + "index-url")
    naming = {
        path.relative_to(PROJECT_DIR).as_posix(): host
        for path in tracked_files()
        if path.suffix not in (".onnx", ".keras", ".npz", ".png")
        for host in hosts
        if host in path.read_text(encoding="utf-8", errors="ignore")
    }
    assert naming == {}


def test_hooks_fetch_nothing_and_run_what_make_runs():
    config = yaml.safe_load((PROJECT_DIR / ".pre-commit-config.yaml").read_text())
    assert {repository["repo"] for repository in config["repos"]} == {"local"}
    hooks = [hook for repository in config["repos"] for hook in repository["hooks"]]
    assert {hook["language"] for hook in hooks} == {"system"}
    assert {hook["entry"] for hook in hooks} == {"make check", "make test-fast"}


def test_the_licence_is_the_one_that_is_told():
    licence = (PROJECT_DIR / "LICENSE").read_text()
    assert "Apache License" in licence
    assert "Version 2.0" in licence
    assert 'license = "Apache-2.0"' in (PROJECT_DIR / "pyproject.toml").read_text()


def test_the_room_that_joins_the_others_stays_small():
    modules = sorted(path.stem for path in (PROJECT_DIR / "ecg_core" / "pipeline").glob("[!_]*.py"))
    assert len(modules) <= 16, "what comes in, is asked, is told or looks after the platform has a room of its own"
