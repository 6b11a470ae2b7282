//! Shared by all samples.
