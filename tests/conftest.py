# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the black-box tests: see serving.py."""
import shutil

import pytest

import serving


@pytest.fixture
def server():
    """server(FILE..., "--option"..., **how) starts the program and waits until it answers; at the end of the test all
    stop, checked."""
    started = []

    def start(*arguments, **how):
        started.append(serving.Server(*arguments, **how))
        return started[-1].wait()
    yield start
    faults = []
    for one in started:
        try:
            one.stop()
        except AssertionError as fault:
            faults.append(str(fault))
    assert not faults, "\n".join(faults)


@pytest.fixture
def chinook(tmp_path):
    return shutil.copy(serving.DATA / "chinook.db", tmp_path / "chinook.db")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """One server of both databases for the tests of a module that only read; with .databases by name."""
    folder = tmp_path_factory.mktemp("site")
    files = [shutil.copy(serving.DATA / name, folder / name) for name in ("chinook.db", "northwind.db")]
    one = serving.Server(*files, "--setting", "sql_time_limit_ms", "10000").wait()
    one.databases = {path.stem: serving.Database(path) for path in files}
    yield one
    one.stop()
