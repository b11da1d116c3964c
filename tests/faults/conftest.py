# SPDX-License-Identifier: GPL-2.0-only
"""The room in which a fault is provoked."""

import pytest

from tests.faults.support import Lab


@pytest.fixture
def lab(tmp_path):
    """A lab that is searched after the test: nothing may be left behind."""
    made = Lab(tmp_path)
    try:
        yield made
        assert not made.left()
    finally:
        made.close()
