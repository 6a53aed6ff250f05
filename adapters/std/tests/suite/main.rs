//! The adapter as programs use it, over loopback: one binary, which links once.

mod common;
mod deliver;
mod policies;
mod scenarios;
