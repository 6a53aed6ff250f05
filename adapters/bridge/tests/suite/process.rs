//! The bridge as a program, to be killed.

use core::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use klamm_sim::dev_broker::nobody;

use crate::common::{ORIGIN, SECRET};

/// The program, on an address that it keeps.
pub(crate) struct Process {
    address: SocketAddr,
    bootstrap: String,
    child: Child,
}

impl Process {
    pub(crate) fn start(bootstrap: &str) -> Self {
        let address = nobody().expect("a port");
        let bootstrap = bootstrap.to_owned();
        Self { child: spawn(address, &bootstrap), address, bootstrap }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// `kill -9`, and a new one.
    pub(crate) fn again(&mut self) {
        self.end();
        self.child = spawn(self.address, &self.bootstrap);
    }

    fn end(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end();
    }
}

fn spawn(address: SocketAddr, bootstrap: &str) -> Child {
    Command::new(env!("CARGO_BIN_EXE_klamm-bridge"))
        .args(["--listen", &address.to_string(), "--kafka.bootstrap", bootstrap])
        .args(["--auth.origins", ORIGIN, "--log.level", "error"])
        // Nodes of a cluster under test are on loopback, by address.
        .args(["--kafka.hosts", "127.0.0.1"])
        .env("KLAMM_BRIDGE_AUTH_KEYS", format!("[{{algorithm='HS256', secret='{SECRET}'}}]"))
        .stdin(Stdio::null())
        .spawn()
        .expect("the bridge")
}
