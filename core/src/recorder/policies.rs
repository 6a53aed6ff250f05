//! `Config::policies` as bytes. Of the errors that are final only the usual ones are written: others are like functions,
//! the reader's to put in.

use super::Recorder;
use super::options::Field;
use crate::policy::{Overflow, Policies};
use crate::wire::reader::Reader;

macro_rules! policies {
    ($($field:ident),* $(,)?) => {
        pub(super) fn put(recorder: &mut Recorder<'_>, policies: &Policies) {
            let Policies { overflow, final_errors, $($field),* } = *policies;
            let overflow: u8 = match overflow {
                Overflow::Reject => 0,
                Overflow::DropOldest => 1,
                Overflow::DropNewest => 2,
            };
            overflow.put(recorder);
            (final_errors == Policies::NOT_ENOUGH_REPLICAS).put(recorder);
            $($field.put(recorder);)*
        }

        pub(super) fn get(reader: &mut Reader<'_>) -> Policies {
            let overflow = match reader.u8() {
                1 => Overflow::DropOldest,
                2 => Overflow::DropNewest,
                _ => Overflow::Reject,
            };
            let usual = bool::get(reader);
            let final_errors = if usual { Policies::NOT_ENOUGH_REPLICAS } else { &[] };
            Policies { overflow, final_errors, $($field: Field::get(reader)),* }
        }
    };
}

policies! {
    hold_full_batches,
    send_at_records,
    send_at_bytes,
    delivery_interval_ms,
    queue_records_max,
    queue_bytes_max,
    broker_queue_records_max,
    broker_queue_bytes_max,
    ack_timeout_ms,
}
