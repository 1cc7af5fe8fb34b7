//! Alert rules: what a score means, and who is told.
