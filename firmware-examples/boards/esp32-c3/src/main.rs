//! Readings of a sensor into Kafka, once a minute, from an ESP32-C3.
#![no_std]
#![no_main]

use core::convert::Infallible;

use embassy_executor::Spawner;
use embassy_time::{Duration, Timer};
use esp_backtrace as _;
use esp_hal::clock::CpuClock;
use esp_hal::rng::Rng;
use esp_hal::timer::timg::TimerGroup;
use esp_println::println;
use esp_radio::wifi::sta::StationConfig;
use esp_radio::wifi::{
    AuthenticationMethodConfig, Config, ControllerConfig, Interface, PowerSaveMode, WifiController,
};
use klamm_station::Memory;
use klamm_station::settings::{WIFI_NAME, WIFI_PASSWORD};
use static_cell::ConstStaticCell;

esp_bootloader_esp_idf::esp_app_desc!();

const RETRY: Duration = Duration::from_secs(5);

static MEMORY: ConstStaticCell<Memory> = ConstStaticCell::new(Memory::new());

#[esp_rtos::main]
async fn main(_spawner: Spawner) -> ! {
    esp_println::logger::init_logger(log::LevelFilter::Info);
    let p = esp_hal::init(esp_hal::Config::default().with_cpu_clock(CpuClock::max()));
    // The radio's: as much as esp-radio advises. The first is memory that the boot loader had.
    esp_alloc::heap_allocator!(#[esp_hal::ram(reclaimed)] size: 64 * 1024);
    esp_alloc::heap_allocator!(size: 36 * 1024);
    esp_rtos::start(TimerGroup::new(p.TIMG0).timer0, p.FROM_CPU_INTR0);

    let config = ControllerConfig::default().with_initial_config(Config::Station(station()));
    let mut wifi = WifiController::new(p.WIFI, config).expect("the radio starts");
    // The radio listens to every third beacon only; what comes in between waits in the access point.
    wifi.set_power_saving(PowerSaveMode::Maximum).expect("the mode is known");
    let rng = Rng::new();
    let seed = u64::from(rng.random()) << 32 | u64::from(rng.random());
    let print = |line: core::fmt::Arguments<'_>| println!("{line}");
    let driver = Interface::station();
    klamm_station::run(driver, MEMORY.take(), seed, print, async |_| stay_connected(wifi).await)
        .await
}

fn station() -> StationConfig {
    let config =
        StationConfig::default().with_ssid(WIFI_NAME.try_into().expect("32 bytes at most"));
    config.with_authentication(match WIFI_PASSWORD {
        "" => AuthenticationMethodConfig::Open,
        password => AuthenticationMethodConfig::Wpa2Personal(
            password.try_into().expect("a password has 8 to 63 bytes"),
        ),
    })
}

async fn stay_connected(mut wifi: WifiController<'static>) -> Infallible {
    loop {
        match wifi.connect_async().await {
            Ok(_) => {
                println!("connected to {WIFI_NAME}");
                let _ = wifi.wait_for_disconnect_async().await;
            }
            Err(error) => println!("cannot connect to {WIFI_NAME}: {error:?}"),
        }
        Timer::after(RETRY).await;
    }
}
