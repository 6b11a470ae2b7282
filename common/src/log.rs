//! The log on stderr: one line for each request, never a secret.

use std::io;

use tracing::Level;
use tracing_subscriber::{filter::Targets, fmt, layer::SubscriberExt, util::SubscriberInitExt};

/// Starts the log: what these crates have to tell (`common` tells each request), and whatever `RUST_LOG` asks for
/// (`info`, `common::http=debug`, …). A `RUST_LOG` that cannot be understood counts as unset.
pub fn start(crates: &[&str]) {
    let from_environment = std::env::var("RUST_LOG").ok();
    let mut filter: Targets = from_environment
        .and_then(|directives| directives.parse().ok())
        .unwrap_or_default();
    for name in crates {
        filter = filter.with_target(*name, Level::INFO);
    }
    let lines = fmt::layer()
        .with_writer(io::stderr)
        .with_ansi(false)
        .without_time()
        .log_internal_errors(false);
    // A second start in one process (two tests, say) keeps the first log.
    let _ = tracing_subscriber::registry()
        .with(lines)
        .with(filter)
        .try_init();
}
