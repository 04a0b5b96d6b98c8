"""The one logger of the package."""

import logging

from sklearn.pipeline import make_pipeline

from skgenre import ANNClassifier, MFCCSegmenter


def test_debug_shows_what_was_computed_and_nothing_of_other_libraries(tracks, caplog):
    caplog.set_level(logging.DEBUG, logger="skgenre")
    make_pipeline(MFCCSegmenter(), ANNClassifier(epochs=1)).fit(tracks.data, tracks.target)
    assert {record.name for record in caplog.records} == {"skgenre"}
    extraction, training = (record.getMessage() for record in caplog.records)
    assert extraction.startswith(f"MFCCSegmenter: {len(tracks.data)} tracks in ")
    assert training.startswith("ANNClassifier: trained on ")
    assert training.endswith("(epochs: 1)")
