import numpy as np
import pytest

from simulation.pictures.photographs import PHOTOGRAPHS, Photograph, take


@pytest.mark.parametrize("photograph", PHOTOGRAPHS, ids=lambda photograph: photograph.path)
def test_every_photograph_is_packaged_and_varies_by_seed(photograph: Photograph) -> None:
    versions = [take(np.random.default_rng(seed), photograph) for seed in range(3)]
    for version in versions:
        assert max(version.size) == 1080
        assert np.asarray(version).std() > 5
    assert len({version.resize((16, 16)).tobytes() for version in versions}) == 3
    assert take(np.random.default_rng(0), photograph).tobytes() == versions[0].tobytes()


def test_a_missing_photograph_names_the_package() -> None:
    missing = Photograph("animals", "no_such_package", "cat.png", (0.5, 0.5), mirrors=True, credit="nobody")
    with pytest.raises(FileNotFoundError, match="no_such_package"):
        take(np.random.default_rng(0), missing)
