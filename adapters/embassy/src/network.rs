//! What a producer needs of a network.

use embassy_sync::blocking_mutex::raw::RawMutex;

use crate::link::Link;

/// A way to brokers: [`EmbassyNet`](crate::EmbassyNet), [`Nal`](crate::Nal), or one's own.
///
/// Implementations need no deadlines: those of `Config` end in [`Link::closing`], which ends
/// whatever is being waited for (a name server, a connect, room in a socket).
pub trait Network {
    /// Serves one connection slot for ever, with these buffers: `rx` for what arrives, `tx` for what
    /// leaves.
    fn serve<M: RawMutex>(
        &self,
        link: &Link<'_, '_, M>,
        rx: &mut [u8],
        tx: &mut [u8],
    ) -> impl Future<Output = core::convert::Infallible>;
}
