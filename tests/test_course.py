"""Each claim of the guide "Autoencoders in twelve commands", of its kept numbers and measured again.

What takes long to train is measured again by `make long`; the rest in every run of the suite.
"""

import contextlib
import inspect
import json
import re
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from aetool import training

ROOT = Path(__file__).parent.parent
BENCHMARKS = ROOT / "benchmarks"
QUICK = ("ppca",)  # closed forms, measured again in seconds
CLAIMS = {}
NOISE = 0.003  # nats: of a mean over 1,000 rows of a bound of random draws


@pytest.fixture(scope="session")
def course():
    """The script that builds the guide, as a module."""
    sys.path.insert(0, str(BENCHMARKS))
    try:
        import course as module
    finally:
        sys.path.remove(str(BENCHMARKS))
    return module


@pytest.fixture(scope="session")
def kept():
    """The numbers that the guide shows."""
    return json.loads((BENCHMARKS / "course" / "numbers.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def measured(course, tmp_path_factory):
    """A function: the numbers of a stop, measured now; models are fitted once a session."""
    found = {}
    with pytest.MonkeyPatch.context() as patch, course.workshop() as folder:
        patch.setattr(course, "FIGURES", _figures(course, tmp_path_factory))

        def measure(name):
            if name not in found:
                with contextlib.chdir(folder):
                    found[name] = course.visit(name)
            return found[name]

        yield measure


def _figures(course, tmp_path_factory):
    """A folder for figures drawn by tests, with the labels that lie beside the guide's."""
    folder = tmp_path_factory.mktemp("figures")
    (folder / "labels.txt").write_bytes((course.FIGURES / "labels.txt").read_bytes())
    return folder


def claim(check):
    """Declares what the guide claims at the stop of this name."""
    CLAIMS[check.__name__] = check
    return check


@claim
def linear(n):
    assert n["angle_first"] > 45, "it begins elsewhere"
    assert n["angle"] < 1, "and ends in the plane of PCA"
    assert n["error_trained"] == pytest.approx(n["error_pca"], rel=0.01)
    assert n["error_trained"] > n["error_pca"] * 0.999, "no linear map has a smaller error"
    assert n["unexplained"] < 1e-3, "its code is a linear map of PCA's"
    assert n["mixed"] > 5, "but not PCA's own axes"


@claim
def sizes(n):
    assert n["auroc_two"] > 0.95 and n["mixed_two"] > 5 * n["real_two"]
    assert n["auroc_one"] < n["auroc_two"] - 0.05 and n["real_one"] > 3 * n["real_two"]
    for name in ("auroc_six", "auroc_twelve"):
        assert abs(n[name] - 0.5) < 0.05, "what copies everything tells nothing apart"
    assert n["copies_six"] and not n["copies_two"], "fit says so"
    assert n["real_six"] < 0.05 * n["real_two"] and n["mixed_six"] < 0.05 * n["mixed_two"]


@claim
def ppca(n):
    assert n["off"] < 0.2 and n["off_most"] < 1, "bits, of 54"
    assert n["mean"] == pytest.approx(n["bits_2"], abs=0.05)
    assert n["second"] == pytest.approx(n["bits_1"] - n["bits_2"]) and n["second"] > 1
    assert n["third"] == pytest.approx(n["bits_2"] - n["bits_3"]) and abs(n["third"]) < 0.05


@claim
def bounds(n):
    gaps = [n[f"gap_{draws}"] for draws in (1, 4, 16, 64, 256)]
    assert gaps == sorted(gaps, reverse=True) and gaps[0] > 0.1, "more draws, a tighter bound"
    assert gaps[-1] > -NOISE and n["gap_1024"] > -NOISE, "none is above log p"
    assert n["gap_1024"] < 0.01
    for kind in ("diagonal", "full", "flow"):
        assert -NOISE < n[f"gap_{kind}"] < 0.05 * n["gap_fixed"]
        assert n[f"exact_{kind}"] == pytest.approx(n["exact_ppca"], abs=0.02)


@claim
def sparse(n):
    assert n["k_zero"] == 87.5 and n["k_top"] == pytest.approx(100), "eight of 64"
    assert n["l1_top"] > n["none_top"] + 5 and n["kl_top"] > n["none_top"] + 5
    assert n["l2_top"] < n["none_top"] + 2 and n["l2_size"] < 0.9 * n["none_size"]
    assert n["l1_zero"] < 1, "gradient steps pass by 0"
    errors = {name: n[f"{name}_error"] for name in ("none", "l1", "l2", "k", "kl")}
    assert min(errors, key=errors.get) == "none" and max(errors, key=errors.get) == "kl"


@claim
def beta(n):
    weights = ("0_1", "0_5", "1", "4", "16")
    rates = [n[f"rate_{weight}"] for weight in weights]
    errors = [n[f"off_{weight}"] for weight in weights]
    assert rates == sorted(rates, reverse=True) and errors[1:] == sorted(errors[1:])
    assert rates[0] > 2 * rates[2] and errors[2] - errors[0] < 0.1, "bits that buy hardly anything"
    assert n["active_1"] == 6 and n["active_16"] == 0, "collapse"
    assert errors[-1] == pytest.approx(1, abs=0.05), "every row is the mean"


@claim
def manifold(n):
    assert n["explained"] > 50
    assert n["near_code"] < 0.95 * n["near_mixed"], "not by blur alone"
    assert n["near_mixed"] < n["near_pixel"]


@claim
def blur(n):
    assert n["vq_codes"] == 16 and n["vq_whole"] == 100 and 0 <= n["vq_largest"] < 256
    assert n["vae_sharp"] < 80 and n["vq_sharp"] < 80, "both blur"
    assert n["vq_sharp"] < n["vae_sharp"] + 10, "no cure here"
    assert n["vq_drawn"] < n["vae_drawn"]
    assert n["vae_error"] < n["vq_error"] + 2


@claim
def features(n):
    assert n["recall_pca_16"] > max(n["recall_vae_16"], n["recall_sparse_64"]) > 50
    assert n["recall_vae_2"] > n["recall_pca_2"], "a short code gains by being bent"
    codes = [n[f"accuracy_{name}"] for name in ("pca_16", "vae_16", "sparse_64")]
    assert max(codes) < n["accuracy_pixels"], "none is better than the pixels"
    assert min(codes) > n["accuracy_pixels"] - 10, "most is kept"
    assert max(n["accuracy_pca_2"], n["accuracy_vae_2"]) < min(codes) - 20


@claim
def denoising(n):
    assert n["cosine_near"] > 0.95 and n["off_near"] < 20
    assert n["length_hole"] < 70, "away from the data it knows nothing"
    assert n["cosine_far"] > 0.9 and n["off_far"] > n["off_near"]


@claim
def anomalies(n):
    assert n["error_off"] > 0.95 and n["elbo_off"] > 0.95
    assert abs(n["error_far"] - 0.5) < 0.1, "blind to what lies on the plane"
    assert n["elbo_far"] > 0.85


@claim
def rate(n):
    assert n["bounded_8"] < n["code_8"] and n["bounded_8_off"] < n["code_8_off"], "small errors"
    assert n["code_4"] < n["bounded_16"] and n["code_4_off"] < n["bounded_16_off"], "large ones"
    order = [n[f"code_{units}"] for units in (1, 2, 4, 8)]
    assert order == sorted(order) and n["exact"] > n["bounded_0_5"]


def test_every_stop_has_its_claims(course):
    assert list(course.STOPS) == list(course.sections(course.TEXT.read_text(encoding="utf-8")))[1:]
    assert set(CLAIMS) == set(course.STOPS)
    for name, check in CLAIMS.items():
        assert "assert" in inspect.getsource(check), name


def test_the_guide_is_made_of_its_text_and_the_kept_numbers(course, kept):
    text = course.TEXT.read_text(encoding="utf-8")
    guide = course.GUIDE.read_text(encoding="utf-8")
    assert guide == course.rendered(text, kept), "make course, or course.py --text"
    assert not course.FIELD.search(guide)
    for name, told in course.sections(guide).items():
        if name:
            assert f"(course/{name}.png)" in told and f"test_course.py -k {name}`" in told
            assert (course.FIGURES / f"{name}.png").stat().st_size < 60_000


def test_numbers_in_the_text_come_from_measurement(course):
    """No figure with decimals stands in the prose by hand, but for settings in code and formulas."""
    text = course.TEXT.read_text(encoding="utf-8")
    prose = re.sub(
        r"^```.*?^```|^    .*?$|`[^`]*`|\{[^}]*\}|https?:\S+", "", text, flags=re.M | re.S
    )
    settings = "0.5: guessing", "asked for 0.05", "β of 0.1"
    for words in settings:
        prose = prose.replace(words, "")
    assert not re.findall(r"(?<![\w/.])\d+\.\d+(?!\.)", prose)


@pytest.mark.parametrize("name", CLAIMS)
def test_kept_numbers_bear_out_the_claims(name, kept):
    CLAIMS[name](kept[name])


def test_the_angle_that_is_left_is_that_of_the_rows_held_back(course, kept):
    with course.workshop() as folder:
        rows = pd.read_csv(folder / "plant.csv")
    unit = ((rows - rows.mean()) / rows.std()).to_numpy()
    fitted, held_back = training.split(len(unit), 0)
    assert len(held_back) == len(unit) // 10
    axes = [np.linalg.svd(part - part.mean(axis=0))[2][:2].T for part in (unit, unit[fitted])]
    assert 0.5 < kept["linear"]["angle"] / course.angle_between(*axes) < 2


@pytest.mark.parametrize("name", QUICK)
def test_quick_stops_bear_out_their_claims_now(name, measured):
    CLAIMS[name](measured(name))


@pytest.mark.long
@pytest.mark.parametrize("name", [name for name in CLAIMS if name not in QUICK])
def test_trained_stops_bear_out_their_claims_now(name, measured):
    CLAIMS[name](measured(name))
