//! The options as bytes. A new field of `Config` does not compile before it is here: a recording without it would replay
//! another run.

use super::Recorder;
use crate::config::{Acks, Compression, Config, Idempotence};
use crate::wire::reader::Reader;

/// Writes and reads the fields in this order. Functions cannot be written: the reader's own stand in.
macro_rules! options {
    ($($field:ident),* $(,)?) => {
        pub(super) fn put(recorder: &mut Recorder<'_>, config: &Config<'_>) {
            let Config {
                bootstrap_servers,
                client_id,
                partitioner: _,
                crc32c: _,
                #[cfg(feature = "policies")]
                policies,
                $($field),*
            } = *config;
            recorder.put_slice(bootstrap_servers.as_bytes());
            recorder.put_slice(client_id.as_bytes());
            $($field.put(recorder);)*
            cfg!(feature = "policies").put(recorder);
            #[cfg(feature = "policies")]
            super::policies::put(recorder, &policies);
        }

        pub(super) fn get<'b>(reader: &mut Reader<'b>) -> Config<'b> {
            let config = Config {
                bootstrap_servers: super::read::text(reader),
                client_id: super::read::text(reader),
                $($field: Field::get(reader),)*
                ..Config::new("")
            };
            with_policies(config, reader)
        }
    };
}

options! {
    acks,
    enable_idempotence,
    compression_type,
    compress_outside,
    linger_ms,
    batch_size,
    batch_records,
    max_request_size,
    max_write_bytes,
    max_in_flight_requests_per_connection,
    retries,
    retry_backoff_ms,
    retry_backoff_max_ms,
    reconnect_backoff_ms,
    reconnect_backoff_max_ms,
    request_timeout_ms,
    delivery_timeout_ms,
    socket_connection_setup_timeout_ms,
    socket_connection_setup_timeout_max_ms,
    connections_max_idle_ms,
    metadata_max_age_ms,
    allow_auto_create_topics,
    clock_wait_ms,
    stop_on_data_loss,
    partitioner_availability_timeout_ms,
    single_address,
    hold_stamped,
    start_sequence,
    start_epoch,
}

#[cfg(feature = "policies")]
fn with_policies<'b>(config: Config<'b>, reader: &mut Reader<'_>) -> Config<'b> {
    if !bool::get(reader) {
        return config;
    }
    Config { policies: super::policies::get(reader), ..config }
}

/// Whoever recorded them had them, and this build has not.
#[cfg(not(feature = "policies"))]
fn with_policies<'b>(config: Config<'b>, reader: &mut Reader<'_>) -> Config<'b> {
    if bool::get(reader) {
        reader.fail(crate::wire::Need::Bad);
    }
    config
}

pub(super) trait Field: Sized {
    fn put(self, recorder: &mut Recorder<'_>);
    fn get(reader: &mut Reader<'_>) -> Self;
}

impl Field for u32 {
    fn put(self, recorder: &mut Recorder<'_>) {
        recorder.put(&self.to_be_bytes());
    }
    fn get(reader: &mut Reader<'_>) -> Self {
        reader.i32().cast_unsigned()
    }
}

impl Field for i32 {
    fn put(self, recorder: &mut Recorder<'_>) {
        recorder.put(&self.to_be_bytes());
    }
    fn get(reader: &mut Reader<'_>) -> Self {
        reader.i32()
    }
}

impl Field for u16 {
    fn put(self, recorder: &mut Recorder<'_>) {
        recorder.put(&self.to_be_bytes());
    }
    fn get(reader: &mut Reader<'_>) -> Self {
        reader.i16().cast_unsigned()
    }
}

impl Field for i16 {
    fn put(self, recorder: &mut Recorder<'_>) {
        recorder.put(&self.to_be_bytes());
    }
    fn get(reader: &mut Reader<'_>) -> Self {
        reader.i16()
    }
}

impl Field for u8 {
    fn put(self, recorder: &mut Recorder<'_>) {
        recorder.put(&[self]);
    }
    fn get(reader: &mut Reader<'_>) -> Self {
        reader.u8()
    }
}

impl Field for bool {
    fn put(self, recorder: &mut Recorder<'_>) {
        u8::from(self).put(recorder);
    }
    fn get(reader: &mut Reader<'_>) -> Self {
        reader.u8() != 0
    }
}

impl Field for Acks {
    fn put(self, recorder: &mut Recorder<'_>) {
        let number: u8 = match self {
            Self::All => 0,
            Self::Leader => 1,
            Self::None => 2,
        };
        number.put(recorder);
    }
    fn get(reader: &mut Reader<'_>) -> Self {
        match reader.u8() {
            1 => Self::Leader,
            2 => Self::None,
            _ => Self::All,
        }
    }
}

impl Field for Idempotence {
    fn put(self, recorder: &mut Recorder<'_>) {
        let number: u8 = match self {
            Self::Preferred => 0,
            Self::Required => 1,
            Self::Off => 2,
        };
        number.put(recorder);
    }
    fn get(reader: &mut Reader<'_>) -> Self {
        match reader.u8() {
            1 => Self::Required,
            2 => Self::Off,
            _ => Self::Preferred,
        }
    }
}

impl Field for Compression {
    fn put(self, recorder: &mut Recorder<'_>) {
        let (codec, level): (u8, i32) = match self {
            Self::None => (0, 0),
            Self::Gzip { level } => (1, level.into()),
            Self::Snappy => (2, 0),
            Self::Lz4 { level } => (3, level.into()),
            Self::Zstd { level } => (4, level),
        };
        codec.put(recorder);
        level.put(recorder);
    }
    fn get(reader: &mut Reader<'_>) -> Self {
        let (codec, level) = (reader.u8(), reader.i32());
        let small = u8::try_from(level).unwrap_or_default();
        match codec {
            1 => Self::Gzip { level: small },
            2 => Self::Snappy,
            3 => Self::Lz4 { level: small },
            4 => Self::Zstd { level },
            _ => Self::None,
        }
    }
}
