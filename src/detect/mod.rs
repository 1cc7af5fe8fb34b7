//! Detectors: numbers and times in, scores out.
