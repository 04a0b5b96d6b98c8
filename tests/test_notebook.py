"""What Jupyter shows of networks: the diagram of scikit-learn, with the layers in it."""

import html
from html.parser import HTMLParser

import pytest
import sklearn
from sklearn.base import clone
from sklearn.ensemble import VotingClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from skgenre import SegmentScaler

from .conftest import make_tensor, slow_but
from .registry import NETWORKS


class Boxes(HTMLParser):
    """The boxes of the diagram that unfold, and the text in them."""

    def __init__(self):
        super().__init__()
        self.open = []
        self.text = []

    def handle_starttag(self, tag, attrs):
        if tag == "div" or self.open:
            self.open.append("sk-toggleable__content" in dict(attrs).get("class", ""))
            if self.open[-1]:
                self.text.append("")

    def handle_endtag(self, tag):
        if self.open:
            self.open.pop()

    def handle_data(self, data):
        if any(self.open):
            self.text[-1] += data


def shown(estimator):
    """What Jupyter takes."""
    bundle = estimator._repr_mimebundle_()
    assert bundle["text/plain"] == repr(estimator)
    # For consumers of the older protocol, such as sphinx-gallery.
    assert "sk-container" in estimator._repr_html_()
    return bundle["text/html"]


def layers_of(network):
    lines = []
    network.summary(lines.append)
    return html.escape("\n".join(lines))


@pytest.fixture(scope="module", params=slow_but("ann", NETWORKS))
def model(request):
    X, y = make_tensor(12)
    return make_pipeline(SegmentScaler(), clone(NETWORKS[request.param]).set_params(epochs=1)).fit(
        X, y
    )


def test_a_fitted_network_shows_its_layers(model):
    network = model[-1]
    assert "layers" not in shown(clone(network))
    page = shown(network)
    assert page.count(layers_of(network)) == 1
    n = network.architecture_.count_parameters()
    assert f"{len(network.architecture_.layers)} layers" in page
    assert f"{n:,} parameters" in page
    assert "learning_rate" in page  # and still its parameters


def test_so_does_a_pipeline_around_it(model):
    assert "layers" not in shown(clone(model))
    page = shown(model)
    assert page.count(layers_of(model[-1])) == 1
    assert type(model[-1]).__name__ in page
    assert "SegmentScaler" in page


def test_and_a_search_and_a_vote():
    X, y = make_tensor(12)
    network = clone(NETWORKS["ann"]).set_params(epochs=1)
    search = GridSearchCV(make_pipeline(SegmentScaler(), network), {}, cv=2).fit(X, y)
    assert shown(search).count(layers_of(search.best_estimator_[-1])) == 1
    vote = VotingClassifier([("a", clone(network)), ("b", clone(network))], voting="soft")
    assert "VotingClassifier" in shown(vote.fit(X, y))


def test_the_layers_can_be_unfolded(model):
    boxes = Boxes()
    boxes.feed(shown(model).partition("<div")[1] + shown(model).partition("<div")[2])
    lines = html.unescape(layers_of(model[-1]))
    assert sum(lines in text for text in boxes.text) == 1


def test_text_alone_where_scikit_learn_is_told_so(model):
    with sklearn.config_context(display="text"):
        assert set(model[-1]._repr_mimebundle_()) == {"text/plain"}
