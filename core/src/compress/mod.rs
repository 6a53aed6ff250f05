//! Codecs. Each compresses from one slice into another, and says `None` when that does not fit.

#[cfg(feature = "gzip")]
pub(crate) mod gzip;
