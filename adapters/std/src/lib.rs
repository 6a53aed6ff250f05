//! klamm over std sockets.
