"""The classifier inside scikit-learn, with metadata routing and without: splits of every kind, searches, ensembles."""

import numpy as np
import pytest
import sklearn
from numpy.testing import assert_allclose
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import AdaBoostClassifier, BaggingClassifier, StackingClassifier, VotingClassifier
from sklearn.feature_selection import RFE
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    GroupShuffleSplit,
    KFold,
    LeaveOneGroupOut,
    PredefinedSplit,
    RandomizedSearchCV,
    RepeatedStratifiedKFold,
    ShuffleSplit,
    StratifiedGroupKFold,
    StratifiedKFold,
    StratifiedShuffleSplit,
    TimeSeriesSplit,
    TunedThresholdClassifierCV,
    cross_val_predict,
    cross_val_score,
    cross_validate,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from boosting_losses import CalibratedBoostingClassifier

lightgbm = pytest.importorskip("lightgbm")
xgboost = pytest.importorskip("xgboost")

RANDOM = np.random.default_rng(0)
X = RANDOM.standard_normal((150, 3))
Y = (X[:, 0] + RANDOM.standard_normal(150) > 0).astype(int)
WEIGHT = RANDOM.uniform(0.5, 3, 150)
GROUPS = np.arange(150) % 8

SPLITS = {
    "int": 3,
    "none": None,
    "stratified": StratifiedKFold(3, shuffle=True, random_state=0),
    "plain": KFold(3),
    "repeated": RepeatedStratifiedKFold(n_splits=2, n_repeats=2, random_state=0),
    "shuffled": ShuffleSplit(2, test_size=0.4, random_state=0),
    "stratified shuffled": StratifiedShuffleSplit(2, test_size=0.4, random_state=0),
    "time": TimeSeriesSplit(2),
}
GROUP_SPLITS = {
    "group": GroupKFold(3),
    "stratified group": StratifiedGroupKFold(3),
    "shuffled groups": GroupShuffleSplit(2, test_size=0.4, random_state=0),
    "one group out": LeaveOneGroupOut(),
}
#: Splits of certain rows, which nothing that resamples rows can pass on.
FIXED_SPLITS = {
    "predefined": lambda: PredefinedSplit(GROUPS % 3),
    "list": lambda: list(KFold(3).split(X)),
    "generator": lambda: KFold(3).split(X),
}

GRID = {"calibration": [None, "sigmoid"]}
AROUND = {
    "nothing": lambda model: model.fit(X, Y),
    "pipeline": lambda model: make_pipeline(StandardScaler(), model).fit(X, Y),
    "grid search": lambda model: GridSearchCV(model, GRID, cv=2, error_score="raise").fit(X, Y),
    "random search": lambda model: RandomizedSearchCV(model, GRID, n_iter=2, cv=2, error_score="raise").fit(X, Y),
    "search of a pipeline": lambda model: GridSearchCV(
        make_pipeline(StandardScaler(), model),
        {"calibratedboostingclassifier__calibration": ["beta", "vector"]},
        cv=2,
        error_score="raise",
    ).fit(X, Y),
    "scores": lambda model: cross_val_score(model, X, Y, cv=2, error_score="raise"),
    "predictions": lambda model: cross_val_predict(model, X, Y, cv=2, method="predict_proba"),
    "decisions": lambda model: cross_val_predict(model, X, Y, cv=2, method="decision_function"),
    "bagging": lambda model: BaggingClassifier(model, n_estimators=2, random_state=0).fit(X, Y),
    "stacking": lambda model: StackingClassifier([("a", model)], LogisticRegression(), cv=2).fit(X, Y),
    "voting": lambda model: VotingClassifier([("a", model)], voting="soft").fit(X, Y),
    "boosting": lambda model: AdaBoostClassifier(model, n_estimators=2).fit(X, Y),
    "one against the rest": lambda model: OneVsRestClassifier(model).fit(X, Y + (X[:, 1] > 0)),
    "outputs": lambda model: MultiOutputClassifier(model).fit(X, np.column_stack([Y, X[:, 1] > 0])),
    "chain": lambda model: ClassifierChain(model, cv=2).fit(X, np.column_stack([Y, X[:, 1] > 0]).astype(int)),
    "calibration": lambda model: CalibratedClassifierCV(model, cv=2).fit(X, Y),
    "threshold": lambda model: TunedThresholdClassifierCV(model, cv=2).fit(X, Y),
    "selection": lambda model: RFE(model, n_features_to_select=2).fit(X, Y),
}


def make(cv, **parameters):
    estimator = lightgbm.LGBMClassifier(n_estimators=2, num_leaves=3, min_child_samples=5, n_jobs=1, verbose=-1)
    return CalibratedBoostingClassifier(estimator, **{"calibration": "sigmoid", "cv": cv, **parameters})


@pytest.fixture(params=[False, True], ids=["unrouted", "routed"])
def routing(request):
    with sklearn.config_context(enable_metadata_routing=request.param):
        yield request.param


@pytest.mark.parametrize(
    ("cv", "around"),
    [
        pytest.param(cv, around, marks=() if cv == "shuffled" or around == "nothing" else pytest.mark.slow)
        for cv in SPLITS
        for around in AROUND
    ],
)
def test_splits_of_every_kind_within_everything(routing, cv, around):
    if (
        routing
        and around in ("scores", "predictions", "decisions", "chain")
        and sklearn.__version__.startswith("1.6.0")
    ):
        pytest.skip("this scikit-learn routes no parameters where none are given")
    AROUND[around](make(SPLITS[cv]))


@pytest.mark.parametrize("around", ["nothing", "pipeline", "voting"])
@pytest.mark.parametrize("cv", FIXED_SPLITS)
def test_splits_of_certain_rows(routing, cv, around):
    if cv == "generator" and around == "voting":
        pytest.skip("scikit-learn copies what it clones, and Python copies no generator")
    AROUND[around](make(FIXED_SPLITS[cv]()))


@pytest.mark.parametrize("cv", GROUP_SPLITS)
def test_groups_without_anything_around(routing, cv):
    fitted = make(GROUP_SPLITS[cv]).fit(X, Y, groups=GROUPS)
    assert len(fitted.rounds_) == GROUP_SPLITS[cv].get_n_splits(X, Y, GROUPS)
    for train, test in GROUP_SPLITS[cv].split(X, Y, GROUPS):
        assert not set(GROUPS[train]) & set(GROUPS[test])
    if cv != "stratified group":  # where scikit-learn sees one group of all rows
        with pytest.raises(ValueError, match="'groups' parameter should not be None"):
            make(GROUP_SPLITS[cv]).fit(X, Y)


@pytest.mark.parametrize("cv", GROUP_SPLITS)
def test_groups_are_routed_through_everything(cv):
    groups, outer = {"groups": GROUPS}, GroupKFold(2)
    with sklearn.config_context(enable_metadata_routing=True):
        model = make(GROUP_SPLITS[cv])
        direct = make(GROUP_SPLITS[cv]).fit(X, Y, **groups).predict_proba(X)
        pipeline = make_pipeline(StandardScaler(), model).fit(X, Y, **groups)
        assert_allclose(pipeline.predict_proba(X), direct, atol=0.1)
        search = GridSearchCV(model, {"calibration": ["sigmoid"]}, cv=outer, error_score="raise").fit(X, Y, **groups)
        assert_allclose(search.predict_proba(X), direct)
        voting = VotingClassifier([("a", model)], voting="soft").fit(X, Y, **groups)
        assert_allclose(voting.predict_proba(X), direct)
        cross_validate(model, X, Y, cv=outer, params=groups, error_score="raise")


def test_weights_are_routed_through_everything():
    weight = {"sample_weight": WEIGHT}
    direct = make(3).fit(X, Y, sample_weight=WEIGHT).predict_proba(X)
    assert np.abs(direct - make(3).fit(X, Y).predict_proba(X)).max() > 0.01
    with sklearn.config_context(enable_metadata_routing=True):
        model = make(3).set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        last = LogisticRegression().set_fit_request(sample_weight=False)
        search = GridSearchCV(model, {"calibration": ["sigmoid"]}, cv=2, error_score="raise")
        for around in (search, make_pipeline(model), VotingClassifier([("a", model)], voting="soft")):
            assert_allclose(around.fit(X, Y, **weight).predict_proba(X), direct)
        inside = StackingClassifier([("a", model)], last, cv=2).fit(X, Y, **weight).estimators_[0]
        assert_allclose(inside.predict_proba(X), direct)
        cross_validate(model, X, Y, params=weight, error_score="raise")
        with pytest.raises(ValueError, match="are passed but are not explicitly set"):
            make_pipeline(make(3)).fit(X, Y, **weight)


def test_columns_are_routed():
    codes = np.column_stack([np.digitize(X[:, 0], [-1, 0, 1]), X[:, 1]])
    with sklearn.config_context(enable_metadata_routing=True):
        model = make(2).set_fit_request(categorical_feature=True)
        fitted = make_pipeline(model).fit(codes, Y, categorical_feature=[0])[-1]
        assert "categorical_feature: 0" in fitted.models_[0].model_to_string()
        own = xgboost.XGBClassifier(n_estimators=2, colsample_bynode=0.3)
        CalibratedBoostingClassifier(own, cv=2).fit(X, Y, feature_weights=np.ones(3))
