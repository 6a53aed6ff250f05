//! Batches and the records in them.

pub(crate) mod record;
