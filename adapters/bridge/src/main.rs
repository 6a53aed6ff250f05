//! The program.

use std::process::ExitCode;

use klamm_bridge::{Bridge, Clock, Loaded, LogConfig, command, load};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    let matches = command().get_matches();
    match load(&matches).and_then(run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("klamm-bridge: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(loaded: Loaded) -> Result<(), String> {
    let Loaded { config, dev, check } = loaded;
    if check {
        return Bridge::check(config);
    }
    log(&config.log)?;
    let runtime = tokio::runtime::Runtime::new().map_err(|error| error.to_string())?;
    runtime.block_on(async {
        let bridge = Bridge::start(config, dev, Clock::default()).await?;
        tracing::info!(address = %bridge.address(), dev, "listening");
        if dev {
            eprintln!("the demo is on http://{}/", bridge.address());
        }
        until_told(&bridge).await.map_err(|error| format!("cannot wait for signals: {error}"))?;
        tracing::info!("going away");
        bridge.shutdown().await;
        Ok(())
    })
}

/// Until SIGTERM or Ctrl-C. SIGHUP reads the certificate again.
async fn until_told(bridge: &Bridge) -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;
    loop {
        tokio::select! {
            _ = terminate.recv() => return Ok(()),
            _ = interrupt.recv() => return Ok(()),
            _ = hangup.recv() => bridge.reload(),
        }
    }
}

fn log(config: &LogConfig) -> Result<(), String> {
    let filter = EnvFilter::try_new(&config.level)
        .map_err(|error| format!("log.level: {:?}: {error}", config.level))?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if config.json {
        builder.json().flatten_event(true).with_current_span(false).init();
    } else {
        builder.init();
    }
    Ok(())
}
