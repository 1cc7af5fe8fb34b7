//! The clockwork: a builder, stages, and a guard that stops them.
