"""What every command prints on, and how."""

from __future__ import annotations

from rich.console import Console

console = Console(highlight=False)
stderr = Console(stderr=True, highlight=False)


def percent(value: float | None) -> str:
    """Give a share as a percentage with two decimals; nothing where it is unknown."""
    return "" if value is None else f"{100 * value:.2f} %"
