"""The one logger of the package."""

import logging

from sklearn.pipeline import make_pipeline

from skgenre import ANNClassifier, MFCCSegmenter, SegmentScaler


def test_debug_shows_what_was_computed_and_nothing_of_other_libraries(tracks, caplog):
    caplog.set_level(logging.DEBUG, logger="skgenre")
    network = ANNClassifier(hidden_units=(4,), epochs=1)
    make_pipeline(MFCCSegmenter(), SegmentScaler(), network).fit(
        tracks.data[::6], tracks.target[::6]
    )
    assert {record.name for record in caplog.records} == {"skgenre"}
    extraction, training = (record.getMessage() for record in caplog.records)
    assert extraction.startswith("MFCCSegmenter: 4 tracks in ")
    assert training.startswith("ANNClassifier: trained on ")
    assert training.endswith("(epochs: 1)")
