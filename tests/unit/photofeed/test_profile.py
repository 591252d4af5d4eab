import numpy as np

from photofeed.features.profile import FeatureProfile


def _rows(seed: int, *, shift: float = 0.0, missing: float = 0.0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(4000, 3)).astype(np.float32)
    rows[:, 1] += shift
    rows[:, 2] = np.where(rng.random(4000) < missing, np.nan, np.maximum(rows[:, 2], 0))
    return rows


def test_only_what_drifted_is_said_to_have() -> None:
    profile = FeatureProfile.of(_rows(1))
    assert (profile.psi(_rows(2)) < 0.05).all()
    psi = profile.psi(_rows(3, shift=1.0))
    assert psi[1] > 0.5
    assert (psi[[0, 2]] < 0.05).all()


def test_values_that_go_missing_are_drift() -> None:
    psi = FeatureProfile.of(_rows(1)).psi(_rows(2, missing=0.4))
    assert psi[2] > 0.5
    assert psi[0] < 0.05


def test_features_that_are_constant_or_never_known_have_a_profile() -> None:
    rows = np.array([[7.0, np.nan], [7.0, np.nan]], dtype=np.float32)
    profile = FeatureProfile.of(rows)
    assert profile.psi(rows).tolist() == [0.0, 0.0]
    assert profile.psi(np.array([[8.0, 1.0]], dtype=np.float32)).min() > 1


def test_the_index_of_chance_is_what_unchanged_columns_seldom_exceed() -> None:
    rng = np.random.default_rng(7)
    profile = FeatureProfile.of(rng.normal(size=(20_000, 1)).astype(np.float32))
    for rows in (20, 200):
        drawn = [profile.psi(rng.normal(size=(rows, 1)).astype(np.float32))[0] for _ in range(300)]
        chance = profile.psi_of_chance(rows)[0]
        assert np.mean(drawn) < chance < 2.5 * np.mean(drawn)
        assert np.mean(drawn > chance) < 0.1
