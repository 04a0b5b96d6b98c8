"""Evaluation reports: honest figures, and a page that holds whatever names contain."""

import html
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import numpy as np
import pytest
import sklearn
from click.testing import CliRunner
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.ensemble import VotingClassifier
from sklearn.metrics import confusion_matrix, f1_score, recall_score
from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline

from skgenre import (
    MFCCSegmenter,
    SegmentSummary,
    SegmentVotingClassifier,
    evaluation_report,
    genre_timeline,
    make_baseline,
    save,
)
from skgenre.cli import main
from skgenre.evaluation import bootstrap_score, calibration_error, robustness_report
from skgenre.report import EvaluationReport
from skgenre.report.pictures import timeline
from skgenre.report.tables import _choose

from .conftest import make_sound, write_sound

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "chrome"))), None)


def front():
    return MFCCSegmenter(segment_duration=1.0)


def nearest(n_neighbors=1):
    """A model that knows each track that it has seen, and predicts segments."""
    knn = SegmentVotingClassifier(
        make_pipeline(_Flat(), KNeighborsClassifier(n_neighbors, algorithm="brute"))
    )
    return make_pipeline(front(), knn)


class _Flat(sklearn.base.TransformerMixin, sklearn.base.BaseEstimator):
    """Means over the frames of segments."""

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        X = np.asarray(X)
        return X.reshape(len(X), -1, 13).mean(axis=1)

    def __sklearn_is_fitted__(self):
        return True


def summary(classifier):
    return make_pipeline(front(), SegmentSummary(), classifier)


@pytest.fixture(scope="module")
def models():
    return {"nearest": nearest(), "svm": summary(make_baseline("svm"))}


@pytest.fixture(scope="module")
def report(models, tracks):
    return evaluation_report(
        models,
        tracks.data,
        tracks.target,
        groups=tracks.groups,
        cv=3,
        robustness=9,
        n_resamples=500,
    )


def test_predictions_are_scikit_learns_out_of_fold(report, models, tracks):
    cv = StratifiedGroupKFold(3, shuffle=True, random_state=0)
    for name, model in models.items():
        expected = cross_val_predict(model, tracks.data, tracks.target, groups=tracks.groups, cv=cv)
        assert_array_equal(report.tracks[f"predicted: {name}"], expected)
    assert report.tracks["path"].tolist() == tracks.data
    # No artist is in two folds.
    assert (report.tracks.groupby("group")["fold"].nunique() == 1).all()


def test_scores_and_intervals_are_of_these_predictions(report, tracks):
    y, groups = tracks.target, tracks.groups
    scores = report.scores.set_index(["model", "metric"])
    predicted = {name: report.tracks[f"predicted: {name}"] for name in ("nearest", "svm")}
    for name, labels in predicted.items():
        assert scores.loc[(name, "accuracy"), "score"] == pytest.approx(np.mean(labels == y))
        recall = recall_score(y, labels, average="macro")
        assert scores.loc[(name, "balanced_accuracy"), "score"] == pytest.approx(recall)
        f1 = f1_score(y, labels, average="macro")
        assert scores.loc[(name, "f1_macro"), "score"] == pytest.approx(f1)
        result = bootstrap_score(y, labels, groups=groups, n_resamples=500)
        row = scores.loc[(name, "accuracy")]
        assert (row["low"], row["high"]) == (result.low, result.high)
        assert_array_equal(report.confusion[name], confusion_matrix(y, labels))
    [row] = report.differences.query("metric == 'accuracy'").itertuples()
    result = bootstrap_score(
        y, predicted["svm"], reference=predicted["nearest"], groups=groups, n_resamples=500
    )
    assert (row.model, row.score, row.low) == ("svm", result.score, result.low)


def test_robustness_is_out_of_fold_too(tracks):
    # On labels at random the nearest neighbor is right for all that it was trained on.
    paths, groups = tracks.data[::2], np.arange(12) // 2
    y = np.random.default_rng(0).permutation(tracks.target[::2])
    options = {"groups": groups, "leakage": False, "robustness": 6, "n_resamples": 10}
    report = evaluation_report(nearest(), paths, y, cv=3, **options)
    found = report.robustness.set_index("condition")
    modified = report.tracks[report.tracks["modified"]]
    assert (found["n_tracks"] == 6).all()
    unchanged = (modified["predicted: SegmentVotingClassifier"] == modified["genre"]).mean()
    assert found.loc["unchanged", "accuracy"] == pytest.approx(unchanged)
    assert unchanged < 1
    right = 0.0
    for fold, rows in modified.groupby("fold"):
        train = np.flatnonzero(report.tracks["fold"] != fold)
        fitted = nearest().fit([paths[i] for i in train], y[train])
        condition = ["6 dB quieter"]
        expected = robustness_report(fitted, rows["path"], rows["genre"], conditions=condition)
        right += expected["accuracy"][1] * len(rows)
    assert found.loc["6 dB quieter", "accuracy"] == pytest.approx(right / 6)


def test_each_genre_has_its_share_of_changed_tracks(report, pages):
    assert (report.robustness["n_tracks"] == 9).all()
    assert report.tracks.groupby("genre")["modified"].sum().tolist() == [3, 3, 3]
    drawn = "9 of the 24 tracks, drawn at random (seed 0) with similar numbers of each genre"
    assert drawn in pages["report"]
    y = np.array(["a"] * 90 + ["b"] * 3 + ["c"] * 7)
    chosen, counts = np.unique(y[_choose(y, 12, 0)], return_counts=True)
    assert dict(zip(chosen, counts, strict=True)) in [
        {"a": 5, "b": 3, "c": 4},
        {"a": 4, "b": 3, "c": 5},
    ]


def test_pieces_leak_where_tracks_have_several(report):
    found = report.leakage.groupby("model")["splitting"].apply(list)
    assert found.tolist() == [["random pieces", "by track", "by artist"]] * 2
    accuracy = report.leakage.set_index(["model", "splitting"])["accuracy"]["nearest"]
    assert accuracy["random pieces"] >= accuracy["by artist"]


def test_no_model_is_tested_on_changed_copies(tracks):
    def leakage(augment):
        model = nearest().set_params(mfccsegmenter__augment=augment)
        options = {"groups": tracks.groups, "cv": 2, "robustness": None, "n_resamples": 2}
        return evaluation_report(model, tracks.data, tracks.target, **options).leakage

    columns = ["splitting", "accuracy", "accuracy_std"]
    assert leakage(lambda y, rate, rng: -y[::2])[columns].equals(leakage(None)[columns])


def test_conditions_of_the_training_are_marked_on_the_page(pages):
    page = pages["hostile"]
    assert page.count("<td>room *</td>") == 2  # models
    assert page.count("* included in the training of the model") == 4  # tables and pictures
    assert "<td>unchanged</td>" in page
    assert " *</td>" not in pages["report"]
    assert "included in the training" not in pages["report"]


def test_one_bar_shows_the_whole(tracks, capfd):
    models = {"one": nearest().set_params(mfccsegmenter__augment="room"), "three": nearest(3)}
    options = {"groups": tracks.groups[::2], "cv": 2, "robustness": 2, "n_resamples": 2}
    few = tracks.data[::2], tracks.target[::2]
    evaluation_report(models, *few, verbose=1, **options)
    text = capfd.readouterr().err
    shown = [int(percent) for percent in re.findall(r"(\d+)%\|", text)]
    assert shown[0] == 0
    assert shown[-1] == 100
    assert shown == sorted(shown)
    assert text.count("\n") == 1  # after the bar
    evaluation_report(models["three"], *few, cv=2, leakage=False, robustness=None)
    assert not capfd.readouterr().err


def test_mistakes_are_from_the_surest_with_their_timelines(report, tracks):
    mistakes = report.mistakes.query("model == 'nearest'")
    table = report.tracks
    wrong = table[table["predicted: nearest"] != table["genre"]]
    assert set(mistakes["path"]) <= set(wrong["path"])
    assert len(mistakes) == min(20, len(wrong))
    assert mistakes["probability"].is_monotonic_decreasing
    for found in report.timelines[: len(mistakes)]:
        assert_allclose(found.proba.sum(axis=1), 1)
        assert len(found.start) == 4  # seconds


def test_calibration_is_of_the_out_of_fold_probabilities(report, tracks):
    proba = report.proba["nearest"]
    expected = calibration_error(tracks.target, proba, np.unique(tracks.target))
    assert report.calibration_error["nearest"] == expected
    assert list(report.proba) == ["nearest"]  # the support vectors give none
    assert_array_equal(
        report.classes["nearest"][proba.argmax(axis=1)], report.tracks["predicted: nearest"]
    )


def test_files_that_cannot_be_used_are_listed_with_reasons(tracks, tmp_path):
    junk = tmp_path / "junk.wav"
    junk.write_bytes(b"junk" * 100)
    short = write_sound(tmp_path / "short.wav", make_sound(0.3))
    paths = [str(junk), *tracks.data, str(short)]
    y = ["disco", *tracks.target, "metal"]
    groups = ["a", *tracks.groups, "b"]
    with pytest.warns(UserWarning, match="2 of 26 tracks cannot be used"):
        report = evaluation_report(
            summary(make_baseline("knn")),
            paths,
            y,
            groups=groups,
            leakage=False,
            robustness=None,
            n_resamples=10,
        )
    assert report.left_out["path"].tolist() == [str(junk), str(short)]
    assert "too short for one segment" in report.left_out["reason"][1]
    assert len(report.tracks) == 24
    page = report.to_html()
    assert "2 files cannot be used" in page
    assert str(junk) in page
    assert "too short for one segment" in page
    assert ">Leakage<" not in page
    assert ">Robustness<" not in page


def test_a_fitted_model_is_taken_as_it_is(tracks):
    model = nearest().fit(tracks.data, tracks.target)
    options = {"robustness": None, "n_resamples": 10}
    report = evaluation_report(model, tracks.data, tracks.target, cv="prefit", **options)
    assert report.scores["score"][0] == 1
    assert report.leakage is None
    assert model[0].on_error == "raise"
    assert "not valid for unseen tracks" in report.to_html()
    with pytest.raises(ValueError, match="polka"):
        evaluation_report(model, tracks.data[:1], ["polka"], cv="prefit", **options)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"models": {}}, "at least one model"),
        ({"y": ["a"]}, "inconsistent"),
        ({"groups": ["one"] * 24}, "one group"),
        ({"cv": [(np.arange(12), np.arange(12, 24))]}, "each track once"),
    ],
)
def test_what_cannot_be_evaluated_is_an_error(tracks, change, message):
    arguments = {
        "models": summary(make_baseline("knn")),
        "paths": tracks.data,
        "y": tracks.target,
        "groups": tracks.groups,
        **change,
    }
    with pytest.raises(ValueError, match=message):
        evaluation_report(**arguments)


HOSTILE = [
    "<script>document.title='owned'</script>",
    '"><img src=x onerror="document.title=\'owned\'">',
    "--></svg><!-- $x_1$ ]]> &amp; \x1b[2J \u202e",
    "]]>\udcff</title><b onclick=1>",
]


@pytest.fixture(scope="module")
def hostile(report):
    """The same report with genres, models and paths that are HTML."""
    names = dict(zip(["classical", "disco", "metal"], HOSTILE, strict=False))
    found = dict(vars(report))
    found["title"] = HOSTILE[3]
    tracks = report.tracks.replace(names)
    tracks["path"] = [f"/music/{HOSTILE[i % 4]}/{i}.wav" for i in range(len(tracks))]
    found["tracks"] = tracks.rename(columns=lambda name: name.replace("nearest", HOSTILE[0]))
    models = {"nearest": HOSTILE[0], "svm": HOSTILE[3]}
    for name in ("scores", "differences", "genres", "leakage", "robustness", "mistakes"):
        found[name] = found[name].replace({**names, **models})
    found["mistakes"]["path"] = [
        f"/music/{HOSTILE[i % 4]}/{'long' * 40}.wav" for i in range(len(found["mistakes"]))
    ]
    found["robustness"]["in_training"] = report.robustness["condition"].isin(["unchanged", "room"])
    found["left_out"] = report.left_out.reindex(range(4)).assign(path=HOSTILE, reason=HOSTILE)
    for name in ("confusion", "classes", "proba", "calibration_error"):
        found[name] = {models[key]: value for key, value in found[name].items()}
    found["confusion"] = {
        key: value.rename(index=names, columns=names) for key, value in found["confusion"].items()
    }
    found["classes"] = {
        key: np.array([names[label] for label in value]) for key, value in found["classes"].items()
    }
    found["timelines"] = [
        t and sklearn.utils.Bunch(**{**t, "classes": [names[label] for label in t.classes]})
        for t in report.timelines
    ]
    return EvaluationReport(**found)


@pytest.fixture(scope="module")
def pages(report, hostile, tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "report.html"
    report.save(path)
    return {"report": path.read_text(encoding="utf-8"), "hostile": hostile.to_html()}


class Tags(HTMLParser):
    """Tags and attributes of a page."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.attributes, self.text = [], [], ""
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += attributes

    def handle_data(self, data):
        self.text += data


@pytest.mark.parametrize("which", ["report", "hostile"])
def test_the_page_fetches_nothing_and_runs_nothing(which, pages):
    page = pages[which]
    found = Tags(page)
    assert not {"script", "img", "iframe", "object", "link", "base"} & set(found.tags)
    assert not [name for name, _ in found.attributes if name.startswith("on")]
    for name, value in found.attributes:
        if name in ("src", "href", "xlink:href"):
            assert value.startswith(("#", "data:image/png;base64,")), value
    assert re.findall(r"url\((?!#)", page) == []
    assert "@import" not in page
    identifiers = [value for name, value in found.attributes if name == "id"]
    assert len(identifiers) == len(set(identifiers))
    assert len(page.encode()) < 3_000_000


def test_names_are_shown_as_they_are(pages):
    page = pages["hostile"]
    text = Tags(page).text
    assert "<script>document.title='owned'</script>" in text
    assert "$x_1$ ]]> &amp; \\x1b[2J \\u202e" in text
    assert "]]>\\xff</title>" in text
    assert not set("\x1b\u202e") & set(page)


def test_overlapping_segments_are_drawn_up_to_the_next_one():
    found = sklearn.utils.Bunch(
        start=np.array([0.0, 5.0, 10.0]),
        stop=np.full(3, 30.0),
        proba=np.full((3, 2), 0.5),
        classes=np.array(["jazz", "rock"]),
    )
    cells = timeline(found, "jazz", "rock").rows[0].cells
    assert [round(cell.width / (cells[0].width + 0.6), 1) for cell in cells] == [1, 1, 4]


def test_a_long_timeline_shows_means():
    proba = np.random.default_rng(0).dirichlet(np.ones(12), 1200)
    found = sklearn.utils.Bunch(
        start=np.arange(1200) * 3.0,
        stop=np.arange(1, 1201) * 3.0,
        proba=proba,
        classes=np.array([f"genre{i:02}" for i in range(12)]),
    )
    picture = timeline(found, "genre03", "genre07")
    assert [len(row.cells) for row in picture.rows] == [60] * 10
    marks = [(row.label, row.is_true) for row in picture.rows if row.is_bold]
    assert marks == [("genre03", True), ("genre07", False)]
    assert picture.end == 3600
    first = next(row for row in picture.rows if row.label == "genre03").cells[0]
    assert first.p == pytest.approx(proba[:20, 3].mean())
    assert (first.x, first.width) == pytest.approx((108, 212 / 60 - 0.6))


#: Put into a copy of the page: what a browser makes of it goes to the title.
PROBE = """<script>
addEventListener("load", () => setTimeout(() => {
  const root = document.documentElement, wide = [];
  for (const e of document.querySelectorAll("body *")) {
    const box = e.getBoundingClientRect();
    if (box.right > root.clientWidth + 1 && !e.closest(".scroll") && !e.closest("svg"))
      wide.push(e.tagName + "." + e.className);
  }
  const undrawn = [...document.images].filter(i => !(i.complete && i.naturalWidth > 0)).length
    + [...document.querySelectorAll("main svg")].filter(s => {
        const box = s.getBoundingClientRect(), inside = s.getBBox();
        return !(box.width > 50 && box.height > 30 && inside.width > 50);
      }).length
    + [...document.querySelectorAll("svg image")].filter(i => !(i.getBBox().width > 0)).length;
  document.title = JSON.stringify({width: root.clientWidth, scroll: root.scrollWidth, wide,
    undrawn, pictures: document.querySelectorAll("main svg").length,
    background: getComputedStyle(document.body).backgroundColor});
}, 50));
</script></head>"""


def chromium(path, scheme="light"):
    done = subprocess.run(
        [
            CHROMIUM,
            *("--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--v=0"),
            *("--hide-scrollbars", "--window-size=1400,900", "--virtual-time-budget=3000"),
            f"--blink-settings=preferredColorScheme={int(scheme == 'light')}",
            *("--dump-dom", path.as_uri()),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]


def seen(folder, page, scheme):
    """What a browser says of a page in frames of both widths."""
    # In frames, since Chromium's own windows are 500 pixels wide at least.
    page = re.sub(r"<meta http-equiv.*?>", "", page).replace("</head>", PROBE, 1)
    frames = [
        f'<iframe width="{width}" height="900" style="border:0;color-scheme:light dark" '
        f'srcdoc="{html.escape(page)}"></iframe>'
        for width in (420, 1400)
    ]
    probe = folder / "frames.html"
    probe.write_text(
        f'<meta name="color-scheme" content="light dark"><body style="margin:0">{"".join(frames)}'
        "<title>waiting</title><script>addEventListener('load', () => setTimeout(() => {"
        "const titles = [...document.querySelectorAll('iframe')].map(f => f.contentDocument.title);"
        "document.title = '[' + titles.join(',') + ']' }, 500))</script>",
        encoding="utf-8",
    )
    page, _ = chromium(probe, scheme)
    return json.loads(html.unescape(re.search(r"<title>(.*?)</title>", page, re.S)[1]))


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
@pytest.mark.parametrize(("which", "scheme"), [("report", "light"), ("hostile", "dark")])
def test_a_browser_draws_the_page(which, scheme, pages, tmp_path):
    found = seen(tmp_path, pages[which], scheme)
    assert [one["width"] for one in found] == [420, 1400]
    for one in found:
        assert one["scroll"] <= one["width"]
        assert one["wide"] == []
        assert one["undrawn"] == 0
        assert one["pictures"] >= 8
        background = [int(value) for value in re.findall(r"\d+", one["background"])]
        assert background == [255] * 3 if scheme == "light" else max(background) < 64


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
def test_a_browser_opens_the_file_without_a_complaint(pages, tmp_path):
    path = tmp_path / "report.html"
    path.write_text(pages["hostile"], encoding="utf-8")
    page, complaints = chromium(path)
    assert complaints == []
    assert "<title>owned" not in page
    assert "<footer>" in page


def test_the_command_writes_the_page(tracks, tmp_path):
    folder = Path(tracks.data[0]).parents[2]
    path = tmp_path / "report.html"

    def run(*args):
        return CliRunner().invoke(main, ["evaluate", str(folder), "--report", *map(str, args)])

    done = run(path, "--preset", "knn", "--robustness", 0, "--folds", 2)
    assert done.exit_code == 0, done.output
    page = path.read_text(encoding="utf-8")
    accuracy = re.match(r"knn: ([\d.]+)% accuracy on unseen artists \(24 tracks", done.stdout)[1]
    assert f"{accuracy}\u00a0%" in page
    assert ">Robustness<" not in page
    model = tmp_path / "model.skgenre"
    save(summary(make_baseline("knn")).fit(tracks.data, tracks.target), model)
    done = run(path, "--model", model, "--robustness", 2)
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith(f"{model}: 100.0% accuracy on 24 tracks (")
    assert "2 of the 24 tracks, drawn at random (seed 0)" in path.read_text(encoding="utf-8")
    assert "there is no folder" in run(tmp_path / "no" / "report.html").stderr
    assert "is a folder" in run(tmp_path).stderr


def test_a_model_without_probabilities_or_timeline(report, pages):
    mistakes = report.mistakes.query("model == 'svm'")
    assert mistakes["probability"].isna().all()
    assert [report.timelines[i] for i in mistakes.index] == [None] * len(mistakes)
    assert "does not predict probabilities" in pages["report"]


def test_a_vote_of_pipelines_is_evaluated_by_tracks(tracks):
    vote = VotingClassifier([("one", nearest(1)), ("three", nearest(3))], voting="soft")
    options = {"groups": tracks.groups, "cv": 3, "n_resamples": 10}
    report = evaluation_report({"vote": vote}, tracks.data, tracks.target, robustness=3, **options)
    assert report.leakage["splitting"].tolist() == ["by track", "by artist"]
    assert (report.robustness["n_tracks"] == 3).all()
    one, three = (
        evaluation_report(
            nearest(n), tracks.data, tracks.target, leakage=False, robustness=None, **options
        )
        for n in (1, 3)
    )
    [first], [second] = one.proba.values(), three.proba.values()
    assert_allclose(report.proba["vote"], (first + second) / 2)


def test_the_timeline_is_that_of_the_model(tracks):
    model = nearest().fit(tracks.data[1:], tracks.target[1:])
    y = [*tracks.target[1:2], "disco"]  # classical, which the second is, too
    paths = [tracks.data[1], tracks.data[0]]
    report = evaluation_report(model, paths, y, cv="prefit", robustness=None, n_resamples=10)
    expected = genre_timeline(model, tracks.data[0])
    assert_allclose(report.timelines[-1].proba, expected.proba)


def test_a_report_is_saved_in_the_home_folder(report, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(EvaluationReport, "to_html", lambda self: "<p>\u00e9")
    report.save("~/report.html")
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == "<p>\u00e9"
