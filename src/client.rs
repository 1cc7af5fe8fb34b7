//! The HTTP client that senders share.
