//! What the user sees while the program waits: Entra's instructions, a QR code, a countdown.

use std::{
    io::{self, IsTerminal, Write},
    time::Duration,
};

use common::{authority::secure_url, console, oauth::DeviceAuthorization, text};
use oauth2::url::Url;
use qrcode::{QrCode, render::unicode::Dense1x2};
use tokio::time::{Instant, sleep_until};

/// Shows where to go and which code to enter, in Entra's own words.
///
/// # Errors
/// The page is not one that a browser should be sent to.
pub fn show(details: &DeviceAuthorization) -> anyhow::Result<()> {
    let page = secure_url(details.verification_uri()).map_err(|problem| {
        anyhow::anyhow!("The sign-in page that the server names {problem}. It is not shown.")
    })?;
    let message = match &details.extra_fields().message {
        Some(message) => message.clone(),
        None => format!(
            "To sign in, open the page {page} in a web browser on any device and enter the code {}.",
            details.user_code().secret()
        ),
    };
    console::say(text::one_line(&message, text::LONGEST));
    if io::stderr().is_terminal() {
        show_qr_code(&page);
    }
    console::say(
        "Only continue if you started this sign-in yourself: whoever sent you a code would be signed in as you.",
    );
    Ok(())
}

/// The page as a QR code, for the phone in the user's hand. The code is still typed: Entra ID offers no page that
/// has it filled in, which keeps the user reading.
fn show_qr_code(page: &Url) {
    if let Ok(code) = QrCode::new(page.as_str()) {
        console::say(code.render::<Dense1x2>().build());
    }
}

/// The time left to sign in: a line that changes on a terminal, one plain line elsewhere.
pub struct Countdown {
    end: Instant,
    on_terminal: bool,
}

impl Countdown {
    pub fn start(time: Duration) -> Self {
        let on_terminal = io::stderr().is_terminal();
        if !on_terminal {
            console::say(format_args!(
                "Waiting for the sign-in; the code is valid for {}.",
                minutes(time)
            ));
        }
        // No clock counts further than a day ahead here: an absurd lifetime must not overflow.
        let end = Instant::now() + time.min(Duration::from_secs(24 * 60 * 60));
        Self { end, on_terminal }
    }

    /// Waits, and shows each second that passes.
    pub async fn wait(&self, pause: Duration) {
        let wake = Instant::now() + pause.min(Duration::from_secs(24 * 60 * 60));
        while self.on_terminal && Instant::now() < wake {
            self.draw();
            sleep_until(wake.min(Instant::now() + Duration::from_secs(1))).await;
        }
        sleep_until(wake).await;
    }

    fn draw(&self) {
        let left = self.end.saturating_duration_since(Instant::now());
        let _ = write!(
            io::stderr(),
            "\r\x1b[KWaiting for the sign-in; {} left.",
            minutes(left)
        );
    }
}

impl Drop for Countdown {
    fn drop(&mut self) {
        console::clear_line();
    }
}

fn minutes(time: Duration) -> String {
    format!("{}:{:02}", time.as_secs() / 60, time.as_secs() % 60)
}
