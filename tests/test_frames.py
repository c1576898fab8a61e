"""The way from the file to the model and back, upright and turned."""

import numpy as np
import pytest

from cadrecode.cloud import normalise
from cadrecode.frames import Frame, turn_of


def turning(axis, degrees):
    """(3, 3), by Rodrigues' formula."""
    x, y, z = np.array(axis, float) / np.linalg.norm(axis)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    angle = np.radians(degrees)
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


@pytest.mark.parametrize("degrees", [0, 1e-4, 12.3, 90, 179.9999, 180])
@pytest.mark.parametrize("axis", [(1, 0, 0), (0, -1, 0), (0.2, 0.3, -0.9)])
def test_a_rotation_is_a_turn_about_an_axis(axis, degrees):
    rotation = turning(axis, degrees)
    result, angle = turn_of(rotation)
    assert angle == pytest.approx(degrees, abs=1e-9)
    np.testing.assert_allclose(turning(result, angle), rotation, atol=1e-12)


def test_a_turned_frame_undoes_the_turn_and_loses_nothing():
    rotation = turning((0.3, -0.5, 0.8), 71)
    upright = np.random.default_rng(0).uniform((-2, -1, -0.5), (2, 1, 0.5), (500, 3))
    raw = upright @ rotation.T * 40 + (300, -20, 1e4)
    model, frame = normalise(raw, rotation)
    assert np.abs(model).max(axis=0) == pytest.approx(np.ptp(upright, axis=0) / np.ptp(upright, axis=0).max())
    np.testing.assert_allclose(frame.to_raw(model), raw, atol=1e-9)
    np.testing.assert_allclose(frame.code_to_raw(frame.to_code(raw)), raw, atol=1e-9)
    np.testing.assert_allclose(frame.to_own_axes(rotation.T), np.eye(3), atol=1e-12)
    assert hash(frame) == hash(Frame(frame.center, frame.raw_per_model, frame.rotation))


def test_without_a_rotation_the_frame_is_the_files_own():
    raw = np.random.default_rng(0).normal(size=(50, 3))
    frame = Frame.of(raw)
    assert frame.rotation is None
    assert frame.turn() == ((0, 0, 1), 0)
    np.testing.assert_array_equal(frame.to_model(raw), (raw - frame.center) / frame.raw_per_model)


@pytest.mark.parametrize("wrong", [np.eye(3) * 2, np.diag([1, 1, -1])])
def test_what_is_no_rotation_is_refused(wrong):
    with pytest.raises(ValueError, match="right-handed"):
        Frame.of(np.eye(3), wrong)
