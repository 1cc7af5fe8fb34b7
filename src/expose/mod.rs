//! A snapshot in the formats of the field.

mod line;
mod names;
mod number;
mod text;

pub use text::{text, text_into};
