import json
from dataclasses import replace
from pathlib import Path

import pytest
from PIL.Image import Transpose

from ingestion.photos.process import ProcessedPhoto, process_photo
from ingestion.photos.validate import PhotoLimits
from tools.photo_cases.__main__ import main
from tools.photo_cases.chart import chart, points
from tools.photo_cases.comparison import judge, ssim
from tools.photo_cases.made_jpeg import detailed, jpeg
from tools.photo_cases.manifest import Case, ManifestError, Point, given, read_manifest
from tools.photo_cases.references import of_image, reference_of

HEAD = "file\tstatus\tcode\twidth\theight\tpoints\tmaxDeltaE\treference\tminSsim\twhy\n"


def process(data: bytes) -> ProcessedPhoto:
    return process_photo(data, PhotoLimits(10**7, 10**7))


@pytest.fixture(scope="module")
def photo() -> bytes:
    return jpeg(chart(), subsampling=0)


def test_a_case_that_fits_has_no_fault(photo: bytes) -> None:
    case = Case("a", given(photo), width=640, height=480, points=points(), most_delta_e=1)
    assert judge(case, process).faults == ()


FITS = Case("a", given(b""), width=640, height=480)


@pytest.mark.parametrize(
    ("case", "fault"),
    [
        (replace(FITS, statuses=frozenset({"failed"})), "ready; expected failed"),
        (replace(FITS, width=641), "width 640; expected 641"),
        (replace(FITS, points=(Point(80, 120, (20, 30, 40)),), most_delta_e=3), "at 80,120: "),
        (replace(FITS, reference=of_image(chart().transpose(Transpose.ROTATE_180)), least_ssim=0.9), "SSIM 0."),
        (replace(FITS, reference=of_image(chart().resize((300, 480))), least_ssim=0.9), "SSIM 0.000"),
    ],
)
def test_a_photo_that_came_out_differently_is_a_fault(case: Case, fault: str, photo: bytes) -> None:
    (found,) = judge(replace(case, read=given(photo)), process).faults
    assert found.startswith(fault)


@pytest.mark.parametrize(
    ("statuses", "code", "says", "faults"),
    [
        ({"failed"}, "unsupported_format", ("PDF", "Send"), 0),
        ({"ready", "failed"}, "unsupported_format", (), 0),
        ({"failed"}, "damaged", (), 1),
        ({"failed"}, None, ("raw",), 1),
        ({"ready"}, None, (), 1),
    ],
)
def test_a_refusal_is_compared_by_its_code_and_its_words(
    statuses: set[str], code: str | None, says: tuple[str, ...], faults: int
) -> None:
    case = Case("a", given(b"%PDF-1.7"), frozenset(statuses), code, says=says)
    assert len(judge(case, process).faults) == faults


def test_a_picture_is_like_itself_and_unlike_another() -> None:
    assert ssim(detailed(), detailed().resize((1280, 960))) > 0.99
    assert ssim(detailed(), chart()) < 0.5


def test_a_manifest_names_files_and_their_references(tmp_path: Path, photo: bytes) -> None:
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / name).write_bytes(photo)
    chart().save(tmp_path / "chart.png")
    manifest = tmp_path / "manifest.tsv"
    manifest.write_text(
        HEAD + "a.jpg\tready\t\t640\t480\t80,60: 200,30,40; 240,60: 30,180,60\t1.5\tchart.png\t0.9\twhy\n"
        "b.jpg\tready or failed\tdamaged\t\t\t\t\tthe same\t0.9\t\n"
    )
    first, second = read_manifest(manifest, tmp_path)
    assert first.points == (Point(80, 60, (200, 30, 40)), Point(240, 60, (30, 180, 60)))
    assert (second.statuses, second.code, second.width) == (frozenset({"ready", "failed"}), "damaged", None)
    assert second.reference
    assert second.reference().images[0].tobytes() == chart().tobytes()


@pytest.mark.parametrize("row", ["a.jpg\tready\t\twide", "a.jpg\tready\t\t\t\t1,2"])
def test_a_manifest_that_is_not_valid_names_its_row(row: str, tmp_path: Path) -> None:
    manifest = tmp_path / "manifest.tsv"
    manifest.write_text(f"{HEAD}{row}\n")
    with pytest.raises(ManifestError, match="row 2"):
        read_manifest(manifest, tmp_path)


def test_wrong_files_have_a_line_each_and_the_counts_come_last(
    tmp_path: Path, photo: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.jpg").write_bytes(photo)
    manifest = tmp_path / "manifest.tsv"
    manifest.write_text(HEAD + "a.jpg\tready\t\t640\na.jpg\tfailed\n")
    assert main([str(tmp_path), str(manifest)]) == 1
    printed = capsys.readouterr().out.splitlines()
    # threads of other tests may log in between
    *lines, last = [line for line in printed if line.startswith(("a.jpg", "{"))]
    assert lines == ["a.jpg: ready; expected failed"]
    assert json.loads(last) == {"files": 2, "right": 1, "wrong": 1}


def test_a_reference_that_nobody_knows_is_noted(tmp_path: Path, photo: bytes) -> None:
    (tmp_path / "a.jpg").write_bytes(photo)
    case = Case("a", given(photo), reference=reference_of("nothing known", tmp_path / "a.jpg"), least_ssim=0.9)
    verdict = judge(case, process)
    assert verdict.faults == ()
    assert "nothing known" in verdict.notes[0]


def test_pillow_stands_in_for_a_program_that_is_not_installed(
    tmp_path: Path, photo: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    (tmp_path / "a.jpg").write_bytes(photo[:-2])
    reference = reference_of("ImageMagick", tmp_path / "a.jpg")
    case = Case("a", given(photo), reference=reference, least_ssim=0.95)
    verdict = judge(case, process)
    assert verdict.faults == ()
    assert verdict.notes == ("compared with Pillow: ImageMagick is not installed",)
    other = replace(case, read=given(jpeg(detailed())))
    assert len(judge(other, process).faults) == 1


def test_a_file_that_is_missing_is_a_fault() -> None:
    (fault,) = judge(Case("a", Path("nowhere.jpg").read_bytes), process).faults
    assert "nowhere.jpg" in fault


def test_missing_arguments_and_files_are_errors(tmp_path: Path) -> None:
    assert main(["folder"]) == 2
    assert main([str(tmp_path), str(tmp_path / "nowhere.tsv")]) == 2
