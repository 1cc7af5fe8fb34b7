//! Whether the program is well: components, resources, what fires.
