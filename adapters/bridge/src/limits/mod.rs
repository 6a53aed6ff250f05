//! Bounds: how many, how much at once, how fast.

mod budget;
mod counts;
mod rate;

pub(crate) use budget::{Budget, Charge};
pub(crate) use counts::{Counts, Held, Refused, Subject};
pub(crate) use rate::Rate;
