//! The first answer on a connection: which versions the broker speaks (KIP-35, KIP-511).

use super::Versions;
use crate::config::{Idempotence, RELAXED};
use crate::error::ProtocolError;
use crate::error_code::ErrorCode;
use crate::producer::Producer;
use crate::wire::api::{ApiKey, FLEXIBLE};
use crate::wire::api_versions::Event;

impl Producer<'_> {
    pub(crate) fn on_api_versions(&mut self, c: usize, event: Event) -> Result<(), ProtocolError> {
        let conn = &mut self.storage.connections[c];
        match event {
            Event::Error(code) => {
                conn.handshake_error = code;
                conn.versions = Versions { produce: -1, metadata: -1, init_producer_id: -1 };
            }
            Event::Range { key, min, max } => conn.learn(key, min, max),
            Event::Throttle(millis) => self.throttle(c, millis),
            Event::End => return self.end_handshake(c),
        }
        Ok(())
    }

    fn end_handshake(&mut self, c: usize) -> Result<(), ProtocolError> {
        let now = self.now;
        let conn = &mut self.storage.connections[c];
        let asked = conn.in_flight.first().map_or(0, |sent| sent.version);
        match conn.handshake_error {
            ErrorCode::NONE => {}
            // The connection stays usable. Only ever lower, or a hostile broker could go on for ever.
            ErrorCode::UNSUPPORTED_VERSION if FLEXIBLE && asked > 0 => {
                let offered = conn.offered_hello.clamp(0, asked - 1);
                conn.hello_plus_1 = offered.cast_unsigned() + 1;
                conn.handshake_error = ErrorCode::NONE;
                conn.since = now.plus_millis(self.config.request_timeout_ms);
                self.wake = true;
                return Ok(());
            }
            code => return Err(self.refuse(c, code)),
        }
        if conn.versions.produce < 0 || conn.versions.metadata < 0 {
            return Err(self.refuse(c, ErrorCode::UNSUPPORTED_VERSION));
        }
        let no_ids = conn.versions.init_producer_id < 0;
        if let Some(broker) = conn.broker.get() {
            let broker = &mut self.storage.brokers[broker];
            broker.failures = 0;
            broker.old_handshake = false;
        }
        self.begin_work(c);
        if RELAXED && no_ids && self.config.enable_idempotence == Idempotence::Preferred {
            self.go_on_without_ids();
        }
        Ok(())
    }

    /// The broker cannot be used as it answers: not at once again.
    fn refuse(&mut self, c: usize, code: ErrorCode) -> ProtocolError {
        self.close_connection(c);
        ProtocolError::Handshake(code)
    }
}

impl super::ConnSlot {
    /// The broker speaks versions `min` to `max` of an API.
    #[allow(clippy::cast_possible_truncation, reason = "our versions are below 128")]
    fn learn(&mut self, key: i16, min: i16, max: i16) {
        let Some(api) = ApiKey::of(key) else { return };
        let version = api.version(min, max).map_or(-1, |version| version as i8);
        match api {
            ApiKey::Produce => self.versions.produce = version,
            ApiKey::Metadata => self.versions.metadata = version,
            ApiKey::InitProducerId => self.versions.init_producer_id = version,
            ApiKey::ApiVersions => self.offered_hello = version,
            ApiKey::FindCoordinator => {}
        }
    }
}
