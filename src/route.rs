//! What a stage answers over HTTP, as plain data.
