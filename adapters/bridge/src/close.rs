//! Why a WebSocket ends: the codes that pages see.

use core::fmt;

/// A reason, with its code and words.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Close {
    /// The page went away, or closed.
    Gone,
    /// A request that the bridge does not understand completely, or that no page may send.
    Protocol(&'static str),
    /// The token's end has come.
    Expired,
    /// There is no such broker.
    UnknownBroker,
    /// Nothing was heard for too long.
    Idle,
    /// It neither reads nor writes fast enough.
    Stalled,
    /// A frame or request above the limit.
    TooLarge,
    /// The broker cannot be reached, or closed the connection.
    Upstream(&'static str),
    /// The bridge is going away: connect again, to it or to another.
    Restart,
}

impl Close {
    pub(crate) const fn code(self) -> u16 {
        match self {
            Self::Gone => 1000,
            Self::TooLarge => 1009,
            Self::Restart => 1012,
            Self::Protocol(_) => 4400,
            Self::Expired => 4401,
            Self::UnknownBroker => 4404,
            Self::Idle | Self::Stalled => 4408,
            Self::Upstream(_) => 4502,
        }
    }

    /// For metrics and logs.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Gone => "gone",
            Self::TooLarge => "too_large",
            Self::Restart => "restart",
            Self::Protocol(_) => "protocol",
            Self::Expired => "expired",
            Self::UnknownBroker => "unknown_broker",
            Self::Idle => "idle",
            Self::Stalled => "stalled",
            Self::Upstream(_) => "upstream",
        }
    }
}

impl fmt::Display for Close {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Gone => "the page is gone",
            Self::TooLarge => "a frame or request above the limit",
            Self::Restart => "the bridge restarts: connect again",
            Self::Protocol(why) | Self::Upstream(why) => why,
            Self::Expired => "the token has expired: connect with a new one",
            Self::UnknownBroker => "there is no such broker",
            Self::Idle => "nothing was heard for too long",
            Self::Stalled => "bytes came, or went, too slowly",
        })
    }
}
