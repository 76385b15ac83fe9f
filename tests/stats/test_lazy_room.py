from __future__ import annotations

import subprocess
import sys

import pytest

from pytest_agenteval import stats


def test_importing_the_room_loads_neither_numpy_nor_scipy() -> None:
    code = "import sys, pytest_agenteval.stats; assert not {'numpy', 'scipy'} & sys.modules.keys()"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_no_function_on_the_way_to_a_verdict_loads_scipy_stats() -> None:
    code = (
        "import sys\nfrom pytest_agenteval import stats\n"
        "for name in stats.__all__: getattr(stats, name)\n"
        "stats.gate_family_binary([(4, 20, 200)], 0.02), stats.paired_sample_size_t(0.3, 0.05)\n"
        "assert 'scipy.stats' not in sys.modules and 'pandas' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("name", stats.__all__)
def test_each_public_name_is_found_in_its_module(name: str) -> None:
    assert getattr(stats, name) is not None


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'p_value'"):
        _ = stats.p_value


def test_the_list_of_public_names_is_the_table_of_lazy_ones() -> None:
    assert set(stats.__all__) == set(stats._MODULE_OF)
