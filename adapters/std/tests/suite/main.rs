//! The adapter as programs use it, over loopback: one binary, which links once.

mod common;
mod deliver;
mod local;
mod policies;
mod scenarios;
