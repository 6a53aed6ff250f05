//! librdkafka as a C program uses it (`rdkafka_performance` does the same): a topic object,
//! `rd_kafka_produce` for each record, a callback for each outcome, a thread that polls.

#![expect(unsafe_code, reason = "a C library, called as C programs call it")]

use anyhow::{Result, bail, ensure};
use core::ffi::{CStr, c_int, c_void};
use core::ptr;
use core::sync::atomic::{AtomicBool, Ordering};
use klamm_bench_peers::{Client, Group, Params, Tally, measure};
use rdkafka::bindings as rd;
use std::ffi::CString;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

/// `RD_KAFKA_PARTITION_UA`: the partitioner chooses.
const UNASSIGNED: i32 = -1;

struct Librdkafka {
    producer: Pointer<rd::rd_kafka_t>,
    topic: Pointer<rd::rd_kafka_topic_t>,
    stop: Arc<AtomicBool>,
    poller: Option<JoinHandle<()>>,
}

/// Of an object that all threads may use, as librdkafka promises.
struct Pointer<T>(*mut T);

// SAFETY: "librdkafka is completely thread-safe" for both objects (its INTRODUCTION.md).
unsafe impl<T> Send for Pointer<T> {}
// SAFETY: as above.
unsafe impl<T> Sync for Pointer<T> {}

fn main() -> Result<()> {
    // SAFETY: returns a constant text.
    let version = unsafe { CStr::from_ptr(rd::rd_kafka_version_str()) };
    measure(&version.to_string_lossy(), Librdkafka::start)
}

impl Librdkafka {
    fn start(params: &Params, tally: &Arc<Tally>) -> Result<Self> {
        // SAFETY: makes a configuration, which `rd_kafka_new` takes.
        let conf = unsafe { rd::rd_kafka_conf_new() };
        let mut properties = vec![
            ("bootstrap.servers", params.bootstrap.clone()),
            ("client.id", params.id.clone()),
            ("acks", "all".into()),
            ("enable.idempotence", "true".into()),
            ("linger.ms", params.linger.to_string()),
            ("compression.type", params.compression.clone()),
            // As Java's hashes keys; without keys it is the sticky one.
            ("partitioner", "murmur2_random".into()),
        ];
        match params.batch {
            0 => {}
            1 => properties.push(("batch.num.messages", "1".into())),
            bytes => properties.push(("batch.size", bytes.to_string())),
        }
        if params.buffer > 0 {
            let kbytes = (params.buffer / 1024).to_string();
            properties.push(("queue.buffering.max.kbytes", kbytes));
            properties.push(("queue.buffering.max.messages", "10000000".into()));
        }
        for (name, value) in properties {
            let (c_name, c_value) = (CString::new(name)?, CString::new(value)?);
            let mut error = [0; 256];
            // SAFETY: texts end with 0, and the buffer is as large as said.
            let result = unsafe {
                rd::rd_kafka_conf_set(
                    conf,
                    c_name.as_ptr(),
                    c_value.as_ptr(),
                    error.as_mut_ptr(),
                    error.len(),
                )
            };
            ensure!(result == rd::rd_kafka_conf_res_t::RD_KAFKA_CONF_OK, "{name} was refused");
        }
        let mut error = [0; 256];
        // SAFETY: the opaque pointer stays valid: the Arc that it is made of is never dropped.
        let producer = unsafe {
            rd::rd_kafka_conf_set_opaque(conf, Arc::into_raw(Arc::clone(tally)) as *mut c_void);
            rd::rd_kafka_conf_set_dr_msg_cb(conf, Some(delivered));
            let kind = rd::rd_kafka_type_t::RD_KAFKA_PRODUCER;
            rd::rd_kafka_new(kind, conf, error.as_mut_ptr(), error.len())
        };
        ensure!(!producer.is_null(), "rd_kafka_new failed");
        let name = CString::new(params.topic.as_str())?;
        // SAFETY: the producer lives, the text ends with 0, and no configuration is needed.
        let topic = unsafe { rd::rd_kafka_topic_new(producer, name.as_ptr(), ptr::null_mut()) };
        ensure!(!topic.is_null(), "rd_kafka_topic_new failed");
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, polled) = (Arc::clone(&stop), Pointer(producer));
        let poller = thread::spawn(move || {
            let polled = polled;
            while !stopped.load(Ordering::Relaxed) {
                // SAFETY: the producer is destroyed after this thread has ended.
                unsafe { rd::rd_kafka_poll(polled.0, 100) };
            }
        });
        Ok(Self { producer: Pointer(producer), topic: Pointer(topic), stop, poller: Some(poller) })
    }
}

/// What librdkafka calls for every record that has an outcome.
unsafe extern "C" fn delivered(
    _: *mut rd::rd_kafka_t,
    message: *const rd::rd_kafka_message_t,
    opaque: *mut c_void,
) {
    // SAFETY: both are valid during the callback; the second is what `start` made of an Arc.
    let (message, tally) = unsafe { (&*message, &*opaque.cast::<Tally>()) };
    if message.err != rd::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
        tally.failed(1);
    } else if message._private.is_null() {
        tally.acked(1);
    } else {
        // One more than the time at which it was due, which may be 0.
        tally.acked_due(message._private as u64 - 1);
    }
}

impl Client for Librdkafka {
    fn send(&self, group: Group<'_>) -> Result<()> {
        for out in group {
            let (key, key_len) = out.key.map_or((ptr::null(), 0), |key| (key.as_ptr(), key.len()));
            let opaque = out.due.map_or(0, |due| due + 1) as *mut c_void;
            loop {
                // SAFETY: value and key are copied; the topic lives.
                let result = unsafe {
                    rd::rd_kafka_produce(
                        self.topic.0,
                        UNASSIGNED,
                        rd::RD_KAFKA_MSG_F_COPY as c_int,
                        out.value.as_ptr() as *mut c_void,
                        out.value.len(),
                        key.cast(),
                        key_len,
                        opaque,
                    )
                };
                if result == 0 {
                    break;
                }
                // SAFETY: reads this thread's last error.
                let error = unsafe { rd::rd_kafka_last_error() };
                if error != rd::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR__QUEUE_FULL {
                    bail!("rd_kafka_produce: {error:?}");
                }
                // SAFETY: the producer lives. Outcomes make room.
                unsafe { rd::rd_kafka_poll(self.producer.0, 1) };
            }
        }
        Ok(())
    }

    fn flush(&self) -> Result<()> {
        // SAFETY: the producer lives.
        let error = unsafe { rd::rd_kafka_flush(self.producer.0, 300_000) };
        let none = rd::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR;
        ensure!(error == none, "rd_kafka_flush: {error:?}");
        Ok(())
    }
}

impl Drop for Librdkafka {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(poller) = self.poller.take() {
            // A panic of its own has been printed.
            let _ = poller.join();
        }
        // SAFETY: nobody uses them any more.
        unsafe {
            rd::rd_kafka_topic_destroy(self.topic.0);
            rd::rd_kafka_destroy(self.producer.0);
        }
    }
}
