//! The side of the brokers: one connection for each WebSocket, with the bridge's own credentials.

mod cluster;
mod connect;
mod egress;
mod frames;
mod sasl;
mod scram;
mod trust;

pub(crate) use cluster::{Cluster, Target};
pub(crate) use connect::{ConnectError, Connector, Io, Open};
pub(crate) use egress::Egress;
pub(crate) use frames::{FrameError, Frames};
pub(crate) use sasl::Sasl;
pub(crate) use trust::trust;
