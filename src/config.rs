//! The builder's settings from a file and the environment.
