//! The endpoint: hyper on one thread.
