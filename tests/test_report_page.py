"""The page of a report: it shows every number, for many models and classes and under any names, and needs nothing else."""

import math
import re
from html import unescape

import matplotlib as mpl
import numpy as np
import pytest
from numba.core import config

from boosting_losses.report import SCORES, ProbabilityReport
from boosting_losses.report._views.figures import overview
from boosting_losses.report._views.looks import COLORS, INK, LESSER, ON_BLACK, PAPER, STYLES, look, printable, wrapped
from boosting_losses.report._views.page_pictures import of_all
from boosting_losses.report._views.page_tables import MOST_COLUMNS
from boosting_losses.report._views.words import THRESHOLD_COLUMNS, number, slice_columns

from .pages import Elements, refuse_what_is_not_self_contained, shown

pytestmark = pytest.mark.skipif(bool(config.DISABLE_JIT), reason="too slow without compilation")

NAMES = (
    "<script>alert(1)</script> $x_1$ and $\\frac{1}{$",
    '{{ 7 * 7 }} {% if %} &amp; "double" \'single\' style="fill: #2539b9"',
    "a_name_without_any_space_that_goes_on_for_sixty_characters_ok نموذج شجرة \u202e القرار",
    "🌲 模型测试梯度提升决策树校准概率模型名称很长的时候会怎样会怎样 control \x00 \x1b[31m \ud800 \n line",
)


def binary_report(names, n=400, **options):
    rng = np.random.default_rng(0)
    z = rng.normal(-1.0, 1.5, n)
    y = (rng.random(n) < 1 / (1 + np.exp(-z))).astype(int)
    models = {name: 1 / (1 + np.exp(-(1 + 0.2 * i) * z - rng.normal(0, 0.3, n))) for i, name in enumerate(names)}
    return ProbabilityReport.from_predictions(y, models, n_resamples=20, **options)


def multiclass_report(names, classes, n=400, **options):
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.full(classes, 0.5), n)
    p /= p.sum(axis=1, keepdims=True)
    y = np.concatenate([np.arange(classes), [rng.choice(classes, p=row) for row in p[classes:]]])
    models = {}
    for i, name in enumerate(names):
        q = p + 0.01 * (i + 1)
        models[name] = q / q.sum(axis=1, keepdims=True)
    return ProbabilityReport.from_predictions(y, models, n_resamples=20, **options)


def slices(n=400):
    return {"region": np.where(np.arange(n) % 3 > 0, "<i>north</i>", "south"), "half": np.arange(n) % 2}


@pytest.fixture(scope="module")
def many():
    return binary_report(NAMES, slices=slices(), thresholds=[0.1, 0.5], reference=NAMES[2])


@pytest.fixture(scope="module")
def classes():
    return multiclass_report(NAMES[:3], 4, slices=slices())


@pytest.fixture(scope="module", params=["one", "two", "many", "classes"])
def report(request, many, classes):
    if request.param == "one":
        return binary_report(["a model"], slices=slices(), thresholds=[0.3])
    if request.param == "two":
        return binary_report(NAMES[:2], slices=slices(), thresholds=[0.1, 0.3])
    return {"many": many, "classes": classes}[request.param]


@pytest.fixture(scope="module")
def page(report, many, page_of_many):
    return page_of_many if report is many else report.to_html()


@pytest.fixture(scope="module")
def page_of_many(many):
    return many.to_html()


def test_the_page_is_well_formed_and_needs_nothing_else(page):
    refuse_what_is_not_self_contained(page)
    assert len(page) < 1_000_000


def test_names_are_shown_as_they_are(many, page_of_many):
    texts = Elements(page_of_many).texts
    for name in NAMES:
        assert texts.count(shown(name)) >= 10
    assert "49" not in " ".join(text for text in texts if "7 * 7" in text)


def test_every_number_of_the_terminal_is_on_the_page(report, page):
    cells = re.findall(r"<td[^>]*>(.*?)</td>", page)
    texts = [unescape(re.sub(r"<[^>]+>", "", cell)).strip() for cell in cells]
    page = unescape(page)

    def has(estimate, p=math.nan):
        interval = "" if math.isnan(estimate.low) else f" [{number(estimate.low)}, {number(estimate.high)}]"
        chance = "" if math.isnan(p) else " p < 0.001" if p < 0.001 else f" p = {p:.3f}"
        return number(estimate.value) + interval + chance in texts

    for model in report.models:
        assert all(has(estimate) for estimate in model.scores.values())
        assert all(number(value) in texts for value in model.uncorrected.values())
        for row in model.thresholds:
            assert all(has(getattr(row, key)) for key in THRESHOLD_COLUMNS)
            assert number(row.net_benefit_of_all) in texts
        for table in model.slices:
            for row in table.rows:
                assert has(row.observed)
                assert has(row.log_loss)
                assert {f"{row.rows:,}", f"{row.events:,.0f}", number(row.predicted)} <= set(texts)
        assert all(number(value) in texts for value in (*model.class_proba, *model.class_loss))
        assert all(f"{share:.2%}" in texts for _, _, share in model.worst_rows[:10])
    for pair, scores in report.differences.items():
        assert all(has(estimate, report.p_values[pair][name]) for name, estimate in scores.items())
    for baseline in report.baselines:
        assert all(number(value) in texts for value in baseline.scores.values())
    assert all(finding.text in page for finding in report.findings)
    if report.differences:
        assert f"Minus {shown(report.reference)}, on the same rows" in page
        assert ("(Holm)" in page) == (len(report.differences) > 1)


def test_every_score_and_column_is_explained(report, page):
    page = unescape(page)
    meanings = page[page.index('id="words"') :]
    for name in report.models[0].scores:
        assert f"<dt>{SCORES[name].title} {SCORES[name].mark}" in meanings
        assert SCORES[name].meaning in meanings
    if report.models[0].thresholds:
        assert all(f"<dt>{column}</dt>" in meanings for column in THRESHOLD_COLUMNS.values())
    columns = [column for column in slice_columns(report).values() if "loss" not in column and "Brier" not in column]
    assert all(f"<dt>{column}" in meanings for column in columns)


def test_tables_have_heads_and_few_columns(report, page):
    for table in re.findall(r"<table>.*?</table>", page, re.DOTALL):
        head, *rows = re.findall(r"<tr>(.*?)</tr>", table, re.DOTALL)
        columns = head.count("<th ")
        assert columns <= 8
        assert head.count('scope="col"') == columns
        for row in rows:
            assert (
                row.count('scope="row"') + row.count("<td") == columns or f'scope="rowgroup" colspan="{columns}"' in row
            )
    if len(report.models) > 2:
        scores = page[page.index('id="scores"') : page.index('id="pictures"')]
        assert all(part.count("<th ") <= 1 + MOST_COLUMNS for part in re.findall(r"<thead>.*?</thead>", scores))
    regions = [attributes for attributes in Elements(page).all("div") if attributes.get("role") == "region"]
    assert len(regions) == page.count("<table>")
    assert len({region["aria-label"] for region in regions}) == len(regions)


def test_pictures_say_what_they_show(report, page):
    parsed = Elements(page)
    pictures = [attributes for attributes in parsed.all("svg") if attributes["aria-label"]]
    k = len(report.classes) if len(report.classes) > 2 else 0
    several = len(report.models) > 1
    expected = len(report.models) + 1 + 2 * several + bool(report.models[0].thresholds) + k
    assert len(pictures) == len(parsed.all("figure")) == expected
    assert all(picture["role"] == "img" and len(picture["aria-label"]) > 40 for picture in pictures)
    labels = " ".join(picture["aria-label"] for picture in pictures)
    for model in report.models:
        assert number(model.curve.observed[0]) in labels
        assert printable(model.name) in labels
        assert all(number(loss) in labels for loss in model.deciles.loss)


def test_colours_are_those_of_the_page(page_of_many):
    page = page_of_many
    styles = [attributes["style"] for _, attributes in Elements(page).elements if "style" in attributes]
    assert len(styles) > 500
    assert not any(re.search(r"#[0-9a-f]{6}", style) for style in styles)
    assert not any("font-family" in style for style in styles)
    for name in set(re.findall(r"var\((--\w+)\)", page)):
        assert page.count(f"{name}:") == 2  # by day and by night
    assert "screen and (prefers-color-scheme: dark)" in page  # paper is white


def test_settings_of_the_user_make_no_difference(tmp_path):
    report = binary_report(["a model"], n=60, metrics=["log_loss"])
    page = report.to_html(tmp_path / "report.html")
    assert page == (tmp_path / "report.html").read_text(encoding="utf-8")
    with mpl.rc_context({"axes.facecolor": "black", "font.size": 40, "svg.fonttype": "path", "axes.edgecolor": "red"}):
        assert report.to_html() == page


def test_many_classes_are_shown_in_part(monkeypatch):
    monkeypatch.setattr("boosting_losses.report._views.page_pictures.MOST_CLASSES", 3)
    page = multiclass_report(["model"], 5, metrics=["log_loss"]).to_html()
    assert "Only the 3 most frequent of 5 classes are shown." in page
    assert page.count(" against the others") == 1
    assert len(re.findall(r'aria-label="Class ', page)) == 3


def test_missing_values():
    rng = np.random.default_rng(0)
    p = rng.random(300)
    y = (rng.random(300) < p).astype(int)
    p[np.argmax(y)] = 0.0
    report = ProbabilityReport.from_predictions(
        y,
        {"a": p, "b": p**2},
        eps=0.0,
        metrics=["log_loss", "brier_score"],
        slices=(y > 0).astype(int),
        thresholds=[1e-6, 0.999999],
        n_resamples=20,
    )
    assert math.isnan(report.differences["b", "a"]["log_loss"].value)
    page = report.to_html()
    assert "b: no value" in page
    assert not re.search(r"\bnan\b", page, re.IGNORECASE)
    one = ProbabilityReport.from_predictions(
        [0, 1, 0, 1], {"x": [0.2, 0.3, 0.6, 0.7], "y": [0.5] * 4}, metrics=["roc_auc"], n_resamples=20
    )
    assert "Differences in area under the ROC curve" in [picture.title for picture in of_all(one)]


def test_a_notebook_has_the_tables(report):
    cell = report._repr_html_()
    assert Elements(cell).open == []
    assert all(shown(model.name) in unescape(cell) for model in report.models)
    for part in ("Thresholds",) if report.models[0].thresholds else ():
        assert f"<h2>{part}</h2>" in cell
    assert "By region" in cell
    assert "<svg" not in cell


# ---- looks ----------------------------------------------------------------------------------------------------------


def luminance(color):
    channels = np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4) @ [
        0.2126,
        0.7152,
        0.0722,
    ]


def contrast(a, b):
    low, high = sorted((luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)


def test_looks_are_distinct():
    assert len(STYLES) == 12
    assert len({style["marker"] for style in STYLES}) == 12
    assert len({tuple(map(str, look(i).values())) for i in range(420)}) == 420
    assert [look(i) for i in range(12)] == list(STYLES)


def test_contrasts(page_of_many):
    assert all(contrast(color, PAPER) > 3 and contrast(ON_BLACK[color], ON_BLACK[PAPER]) > 3 for color in COLORS)
    assert all(contrast(c, PAPER) > 4.5 and contrast(ON_BLACK[c], ON_BLACK[PAPER]) > 4.5 for c in (INK, LESSER))
    for block in re.findall(r":root \{(.*?)\}", page_of_many):
        colors = dict(re.findall(r"--(\w+): (#\w+);", block.replace("#fff;", "#ffffff;")))
        assert all(contrast(colors[name], colors["paper"]) > 4.5 for name in ("ink", "lesser", "mark"))


slow = pytest.mark.slow


@pytest.mark.parametrize("n", [1, 5, *(pytest.param(n, marks=slow) for n in (2, 3, 8, 12))])
def test_overview_stands_in_rows_of_at_most_four(n):
    figure = overview(binary_report([f"model {i} " + "x" * 60 for i in range(n)], n=100, metrics=["log_loss"]))
    figure.canvas.draw()
    assert figure.get_figwidth() < 19
    diagrams = figure.axes[: 2 * n : 2]
    assert len(figure.axes) == 2 * n + 1
    assert len({round(axes.get_position().x0, 2) for axes in diagrams}) <= 4
    boxes = [axes.get_window_extent().padded(-1) for axes in figure.axes]
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])
    for axes in diagrams:
        assert axes.title.get_window_extent().width < 1.25 * axes.get_window_extent().width
    if n > 1:
        legend = figure.axes[-1].get_legend()
        assert len(legend.get_texts()) == n
        assert legend.get_window_extent().x1 <= figure.bbox.x1


def test_wrapped():
    assert wrapped("short", 10) == "short"
    assert wrapped("two words here", 10) == "two words\nhere"
    assert wrapped("x" * 25, 10, lines=3) == "\n".join(["x" * 10, "x" * 10, "x" * 5])
    assert wrapped("x" * 25, 10) == "x" * 10 + "\n" + "x" * 9 + "…"
    assert wrapped("模型" * 5, 10) == "模型模型模\n型模型模型"
    assert wrapped("", 10) == ""
    assert printable("a\nb\x1b\ud800") == "a b\ufffd\ufffd"
