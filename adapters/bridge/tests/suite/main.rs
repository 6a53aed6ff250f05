//! The bridge in front of the dev broker, seen from outside.

#![allow(clippy::unwrap_used, clippy::unwrap_in_result, reason = "in a test a failure is a panic")]

mod authority;
mod check;
mod client;
mod common;
mod deploy;
mod dev;
mod limits;
mod logs;
mod origins;
mod page;
mod post;
mod process;
mod produce;
mod records;
mod restart;
mod tenants;
mod tls;
mod tokens;
