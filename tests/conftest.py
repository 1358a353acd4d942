"""Fixtures that every suite may use."""

from tests.support.machine.memory import use_memory

pytest_plugins = ["tests.support.machine.postgres"]


def pytest_configure() -> None:
    """Workers of xdist inherit it."""
    use_memory()
