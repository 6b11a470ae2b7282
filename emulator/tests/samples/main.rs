//! Black-box tests: the samples' real binaries against the emulator, over real sockets.
//!
//! Each test has its own emulator on its own port, its own home folder and its own working directory, so that all of
//! them can run side by side and none needs the network.

// A test that meets a surprise should panic, in the functions that tests share as well.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod listener;
mod support;

mod browser;
mod cache;
mod client_credentials;
mod clients;
mod contract;
mod device_code;
mod docs;
mod emulator;
mod emulator_page;
mod exec;
mod manifests;
mod memory;
mod registration;
mod template;
mod username_password;
mod web;
