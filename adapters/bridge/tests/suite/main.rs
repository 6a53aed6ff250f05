//! The bridge in front of the dev broker, seen from outside.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in a test a failure is a panic")]

mod client;
mod common;
mod origins;
mod page;
mod restart;
mod tokens;
