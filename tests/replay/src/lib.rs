//! A producer's calls as bytes, and what comes of them: the same on every target.
//!
//! A host records a run against the model cluster (feature `record`). The trace is then replayed
//! there, on a microcontroller (in QEMU) and in WebAssembly: `cargo xtask test --only targets`.
#![no_std]

#[cfg(feature = "record")]
pub mod record;
mod session;
mod trace;

pub use session::{Digest, Memory, Output, Session};
pub use trace::{Call, Codec, Trace};

/// Replays a trace. `None` if it is none, or has a codec that is not built in.
pub fn replay(trace: &[u8], memory: &mut Memory, out: &mut impl Output) -> Option<()> {
    let mut trace = Trace::new(trace)?;
    let mut session = Session::new(trace.codec, memory)?;
    while let Some((now, call)) = trace.next_call()? {
        session.call(now, &call, out);
    }
    Some(())
}
