//! Threads of our own: named, deaf to signals, stopped by a deadline.
