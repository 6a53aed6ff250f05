//! klamm over tokio.
