//! A `tower` layer that measures requests.
