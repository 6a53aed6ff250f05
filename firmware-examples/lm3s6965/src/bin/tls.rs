//! The demo over TLS, for its size: linked and never run, for this machine has no random numbers.
#![no_std]
#![no_main]

use embassy_executor::Spawner;
use klamm_embassy::{Resources, Runner};
use klamm_firmware_app::ledger::Ledger;
use klamm_firmware_app::settings::Settings;
use klamm_firmware_app::{config, run};
use klamm_firmware_qemu::semihosting::{self, Host};
use klamm_firmware_tls::{Records, Tls};
use klamm_lm3s6965::start;
use rand_core::{CryptoRng, Error, RngCore, impls};
use static_cell::ConstStaticCell;

/// As the demo's, and a TLS record each way.
static MEMORY: ConstStaticCell<Resources<'static, 1_400, 4, 4>> =
    ConstStaticCell::new(Resources::new());
static RECORDS: ConstStaticCell<[Records; 1]> = ConstStaticCell::new([Records::new()]);
static LEDGER: Ledger = Ledger::new();

/// Stands for the certificate of whoever vouches for the broker.
const AUTHORITY: &[u8] = &[0x30; 512];

/// Where a chip has its random number generator: one register.
struct Register;

impl RngCore for Register {
    fn next_u32(&mut self) -> u32 {
        // SAFETY: nothing runs this.
        unsafe { (0x4000_0000 as *const u32).read_volatile() }
    }

    fn next_u64(&mut self) -> u64 {
        impls::next_u64_via_u32(self)
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        impls::fill_bytes_via_next(self, bytes);
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Error> {
        self.fill_bytes(bytes);
        Ok(())
    }
}

impl CryptoRng for Register {}

#[embassy_executor::main(entry = "cortex_m_rt::entry")]
async fn main(spawner: Spawner) -> ! {
    semihosting::exit(u32::from(readings(spawner).await.is_none()))
}

async fn readings(spawner: Spawner) -> Option<()> {
    let mut buffer = [0; 256];
    let settings = Settings::parse(semihosting::arguments(&mut buffer))?;
    let network = start(spawner, 1)?;
    let tls = Tls::new(network, AUTHORITY, Register, RECORDS.try_take()?);
    let (producer, runner) =
        klamm_embassy::new(MEMORY.try_take()?, tls, &config(&settings), 1).ok()?;
    spawner.spawn(kafka(runner).ok()?);
    network.wait_config_up().await;
    run(&Host, producer, &settings, &LEDGER).await.ok()?.then_some(())
}

#[embassy_executor::task]
async fn kafka(mut runner: Runner<'static, Tls<'static, Register>>) -> ! {
    runner.run().await
}
