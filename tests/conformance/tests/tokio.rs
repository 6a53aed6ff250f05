//! The suite over `klamm-tokio`. The tests' threads wait for their futures; the drivers run on one
//! runtime of two threads, which outlives the producers.

use core::time::Duration;
use std::sync::OnceLock;

use klamm::{Record, Stats};
use klamm_conformance::host::{builder, fate, refused, returned};
use klamm_conformance::{Adapter, Fate, HostAdapter, Refused, Returned, Setup};
use klamm_tokio::{Builder, Delivered, Delivery, DeliveryError, DriverFailure, Producer};
use tokio::runtime::{self, Runtime};

#[derive(Clone)]
struct Tokio(Producer);

fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        let mut builder = runtime::Builder::new_multi_thread();
        builder.worker_threads(2).enable_all().build().expect("a runtime")
    })
}

impl Adapter for Tokio {
    type Delivery = Delivery;

    fn start(setup: &Setup) -> Self {
        Self::build(builder(setup))
    }

    fn send(
        &self,
        topic: &str,
        partition: Option<i32>,
        record: &Record<'_>,
    ) -> Result<Delivery, Refused> {
        let sent = runtime().block_on(async {
            match partition {
                None => self.0.send(topic, record).await,
                Some(partition) => self.0.send_to_partition(topic, partition, record).await,
            }
        });
        sent.map_err(refused)
    }

    fn try_send(
        &self,
        topic: &str,
        partition: Option<i32>,
        record: &Record<'_>,
    ) -> Result<Delivery, Refused> {
        let sent = match partition {
            None => self.0.try_send(topic, record),
            Some(partition) => self.0.try_send_to_partition(topic, partition, record),
        };
        sent.map_err(refused)
    }

    fn fate(&self, delivery: Delivery) -> Fate {
        fate(runtime().block_on(delivery))
    }

    fn partitions(&self, topic: &str) -> Result<i32, Refused> {
        runtime().block_on(self.0.partitions_for(topic)).map_err(refused)
    }

    fn flush(&self) -> bool {
        runtime().block_on(self.0.flush())
    }

    fn close(&self, limit: Duration) -> Vec<Returned> {
        returned(runtime().block_on(self.0.close(limit)))
    }

    fn stats(&self) -> Stats {
        self.0.stats()
    }

    fn waiting(&self) -> usize {
        self.0.waiting()
    }

    fn last_connection_error(&self) -> Option<String> {
        self.0.last_connection_error().map(|error| error.to_string())
    }
}

impl HostAdapter for Tokio {
    type Producer = Producer;

    fn build(builder: Builder) -> Self {
        let _entered = runtime().enter();
        Self(builder.build().expect("legal"))
    }

    fn send_then(
        &self,
        topic: &str,
        record: &Record<'_>,
        callback: impl FnOnce(Result<Delivered, DeliveryError>) + Send + 'static,
    ) -> Result<(), Refused> {
        runtime().block_on(self.0.send_then(topic, record, callback)).map_err(refused)
    }

    fn post_and_call(&self, topic: &str, mut accepted: impl FnMut()) -> Result<(), Refused> {
        let topic = self.0.topic(topic).map_err(refused)?;
        let record = core::iter::once(Record::value(b"v"));
        let posted = topic.post_all_with(None, record, |_| accepted());
        runtime().block_on(posted).map(|_| ()).map_err(|(_, e)| refused(e))
    }

    fn fate_within(&self, delivery: Delivery, limit: Duration) -> Option<Fate> {
        delivery.wait_timeout(limit).map(fate)
    }

    fn prometheus(&self) -> String {
        self.0.prometheus()
    }

    fn last_driver_failure(&self) -> Option<DriverFailure> {
        self.0.last_driver_failure()
    }
}

klamm_conformance::suite!(crate::Tokio);
klamm_conformance::host_suite!(crate::Tokio);
