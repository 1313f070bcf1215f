//! Descriptions that are read, refused and written.
