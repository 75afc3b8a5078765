"""The statistics behind a trained direction, against scikit-learn on the plain data."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from stit_core.directions import logistic
from tests.support.tiny_pack import NUM_WS
from tests.support.training_cases import cosine

PEOPLE, EACH, WIDTH = 60, 3, 400


def labelled(strength: float = 2.0, seed: int = 0) -> tuple[np.ndarray, np.ndarray, list[str], np.ndarray]:
    """Latents (N, WIDTH) float32 of people with three pictures each, labels, names, and the true direction."""
    random = np.random.default_rng(seed)
    truth = random.normal(size=WIDTH)
    truth /= np.linalg.norm(truth)
    labels = np.repeat(np.arange(PEOPLE) % 3 == 0, EACH).astype(int)  # one in three: classes differ in size
    person = np.repeat(random.normal(size=(PEOPLE, WIDTH)), EACH, axis=0)
    latents = 3 + person + 0.3 * random.normal(size=person.shape) + strength * np.outer(2 * labels - 1, truth)
    return latents.astype(np.float32), labels, [f"p{k // EACH}" for k in range(len(labels))], truth


@pytest.mark.parametrize("turned", [True, False])
def test_the_fit_is_that_of_scikit_learn_on_the_plain_latents(turned: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    latents, labels, _, _ = labelled()
    if not turned:
        monkeypatch.setattr(logistic, "TURNED_UP_TO", 0)
    plain = latents.astype(np.float64)
    design = logistic.Design(latents.copy())
    assert (design.turn is not None) == turned
    coefficients, _ = logistic.fit_rows(design.rows, labels, np.ones(len(labels), bool), 0.01)
    centred = (plain - plain.mean(0)) / np.sqrt(np.mean((plain - plain.mean(0)) ** 2))
    oracle = LogisticRegression(C=0.01, class_weight="balanced", max_iter=5000, tol=1e-8).fit(centred, labels)
    found = design.back(coefficients) * design.scale
    assert logistic.cosine(found, oracle.coef_[0]) > 0.9999
    assert np.linalg.norm(found) == pytest.approx(np.linalg.norm(oracle.coef_[0]), rel=2e-2)


def test_rows_of_weight_zero_are_as_good_as_left_out() -> None:
    latents, labels, _, _ = labelled()
    used = np.random.default_rng(1).random(len(labels)) < 0.6
    rows = latents.astype(np.float64) - latents.mean(0)
    masked, intercept = logistic.fit_rows(rows, labels, used, 0.01)
    oracle = LogisticRegression(C=0.01, class_weight="balanced", max_iter=5000, tol=1e-8).fit(rows[used], labels[used])
    np.testing.assert_allclose(masked, oracle.coef_[0], atol=2e-4)
    assert intercept == pytest.approx(oracle.intercept_[0], abs=2e-3)


def test_no_person_is_on_both_sides_of_a_fold() -> None:
    _, labels, people, _ = labelled()
    parts = logistic.folds_of(labels, people, np.ones(len(labels), bool), 5, 0)
    assert sorted(np.concatenate(parts)) == list(range(len(labels)))
    names = [{people[row] for row in part} for part in parts]
    assert all(not (a & b) for k, a in enumerate(names) for b in names[k + 1 :])


def test_the_direction_is_found_and_its_worth_told() -> None:
    latents, labels, people, truth = labelled()
    fit = logistic.fit_direction(logistic.Design(latents), labels, people, 5, 0)
    assert logistic.cosine(fit.direction, truth) > 0.4
    figures = logistic.intervals(labels, fit.scores, people, 0)
    assert figures["auc"].low <= figures["auc"].value <= figures["auc"].high
    assert figures["auc"].value > 0.8


def test_labels_without_meaning_are_told_apart_by_chance_only() -> None:
    found = []
    for seed in range(6):
        latents, labels, people, _ = labelled(strength=0.0, seed=seed)
        fit = logistic.fit_direction(logistic.Design(latents), labels, people, 5, 0)
        found.append(logistic.auc(labels, fit.scores))
    assert 0.4 < np.mean(found) < 0.6


def test_projection_leaves_nothing_of_what_is_held() -> None:
    random = np.random.default_rng(2)
    vector, held = random.normal(size=50), random.normal(size=(3, 50))
    freed = logistic.project_out(vector, held)
    np.testing.assert_allclose(held @ freed, 0, atol=1e-10)
    inside = vector - freed
    assert np.linalg.matrix_rank(np.vstack([held, inside]), tol=1e-8) == 3


def test_one_person_a_class_cannot_be_held_out() -> None:
    latents, labels, _, _ = labelled()
    with pytest.raises(ValueError, match="fewer than two people"):
        logistic.fit_direction(logistic.Design(latents), labels, ["a" if x else "b" for x in labels], 5, 0)


def test_people_with_rows_in_both_classes_stay_together() -> None:
    labels = np.tile([0, 1], 30)
    people = [f"p{row // 4}" for row in range(60)]  # two rows of each class a person
    parts = logistic.folds_of(labels, people, np.ones(60, bool), 5, 0)
    assert len(parts) == 5
    names = [{people[row] for row in part} for part in parts]
    assert all(not (a & b) for k, a in enumerate(names) for b in names[k + 1 :])


def test_no_fold_takes_all_of_a_class_away() -> None:
    labels = np.array([0] * 60 + [1] * 50)
    people = [f"a{row}" for row in range(60)] + ["b0"] * 48 + ["b1", "b2"]
    for seed in range(5):
        for part in logistic.folds_of(labels, people, np.ones(110, bool), 5, seed):
            assert set(np.delete(labels, part)) == {0, 1}


def test_the_bootstrap_is_that_of_scikit_learn_on_drawn_people() -> None:
    random = np.random.default_rng(3)
    labels, scores = np.arange(80) % 2, np.round(random.normal(size=80) + np.arange(80) % 2, 1)  # with ties
    people = [f"p{row // 4}" for row in range(80)]
    found = logistic.intervals(labels, scores, people, 7)
    draws, drawn = np.random.default_rng(7), []
    names = sorted(set(people))
    for _ in range(logistic.RESAMPLES):
        chosen = draws.integers(0, len(names), len(names))
        rows = np.concatenate([[row for row in range(80) if people[row] == names[k]] for k in chosen])
        drawn.append(roc_auc_score(labels[rows], scores[rows]))
    low, high = np.quantile(drawn, [0.025, 0.975])
    assert (found["auc"].low, found["auc"].high) == (pytest.approx(low), pytest.approx(high))
    assert found["auc"].value == pytest.approx(roc_auc_score(labels, scores))
    assert found["accuracy"].value == pytest.approx(np.mean((scores > 0) == labels))


def test_planted_directions_are_found_in_their_layers() -> None:
    """Latents in which the classes differ along a known vector of a few layers only."""
    random = np.random.default_rng(0)
    truth = np.zeros((NUM_WS, 512))
    truth[3:5] = random.normal(size=(2, 512))
    truth /= np.linalg.norm(truth)
    labels = np.arange(400) % 2
    latents = random.normal(size=(400, NUM_WS * 512)) * 0.05 + np.outer(2.0 * labels - 1, truth.reshape(-1)) * 0.4
    people = [f"p{k // 4}" for k in range(400)]
    fit = logistic.fit_direction(logistic.Design(latents.astype(np.float32)), labels, people, 5, 0)
    assert cosine(fit.direction, truth.reshape(-1)) > 0.85
    energy = np.square(fit.direction.reshape(NUM_WS, 512)).sum(1)
    assert energy[3:5].sum() > 0.7 * energy.sum()
