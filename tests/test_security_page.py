"""docs/security.md: every threat names the test that shows what stands against it, and the test is there."""

import re

from ecg_core.settings import PROJECT_DIR

PAGE = (PROJECT_DIR / "docs" / "security.md").read_text("utf-8")
ROWS = [line for line in PAGE.splitlines() if line.startswith("|")][2:]


def test_each_line_names_a_test_or_says_that_it_is_not_held():
    assert len(ROWS) >= 25
    for row in ROWS:
        assert ("`tests/" in row.split("|")[4]) != ("**not held**" in row), row


def test_every_test_that_is_named_is_there():
    for name in re.findall(r"`(tests/[^`]+)`", PAGE):
        path, _, function = name.partition("::")
        assert (PROJECT_DIR / path).is_file(), name
        if function:
            assert f"def {function}(" in (PROJECT_DIR / path).read_text("utf-8"), name
