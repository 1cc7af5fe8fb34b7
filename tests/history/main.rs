//! The history against plain lists of everything that was ever recorded, over random runs; and
//! what it does when there is no room, when clocks jump and when series come and go.

#![cfg(all(feature = "history", feature = "test-util"))]

mod budget;
mod clock;
mod disk;
mod hostile;
mod parts;
mod routes;
mod twin;
mod world;
