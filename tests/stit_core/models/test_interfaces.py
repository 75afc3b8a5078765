"""Every network of ours answers what the stages ask of its part."""

from __future__ import annotations

import pytest
from torch import nn

from stit_core.models import interfaces
from stit_core.models.attributes import AttributeNet, FeaturePerceptual
from stit_core.models.compact import CompactEncoder, CompactParser
from stit_core.models.dlib_identity import DlibIdentity
from stit_core.models.generator import Generator
from stit_core.models.reader import CompactReader


@pytest.mark.parametrize(
    ("network", "part"),
    [
        (Generator(16, w_dim=8, z_dim=8, mapping_layers=1, channel_base=64), interfaces.FaceGenerator),
        (CompactEncoder(6), interfaces.Encoder),
        (CompactParser(), interfaces.Parser),
        (CompactReader(), interfaces.Parser),
        (CompactReader(), interfaces.Reader),
        (AttributeNet(3), interfaces.Attributes),
        (FeaturePerceptual(AttributeNet(3)), interfaces.Perceptual),
        (DlibIdentity(None, None), interfaces.Identity),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, type) else value.__name__,
)
def test_a_network_answers_for_its_part(network: object, part: type) -> None:
    assert isinstance(network, part)


def test_a_parser_that_reads_no_places_is_no_reader() -> None:
    assert not isinstance(CompactParser(), interfaces.Reader)
    assert not isinstance(nn.Identity(), interfaces.Parser)
