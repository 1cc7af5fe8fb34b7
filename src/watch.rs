//! Inline watches: one value in, an anomaly out, in the same step.
