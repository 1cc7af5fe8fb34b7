//! Collectors: host, process, container and GPU figures.
