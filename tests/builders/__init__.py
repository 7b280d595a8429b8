"""Builders of synthetic DICOM objects as bytes, for unit, golden and integration tests.

Rules of this package: made with pydicom and highdicom, never with the code under test; people and UIDs are
invented (root 2.999); the same call gives the same content.
"""
