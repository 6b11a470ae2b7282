//! The signals that ask this program to end, and how a child of it is asked likewise.

use std::io;
use std::process::{ExitCode, ExitStatus};

use tokio::process::Child;

/// Who gets a signal that this process got.
#[derive(Clone, Copy, PartialEq)]
pub enum Target {
    /// The child, which shares the terminal with us.
    Process,
    /// The child and its own children, which have a group of their own.
    Group,
}

#[cfg(unix)]
pub use unix::{Signals, asked_to_end, exit_code};
#[cfg(windows)]
pub use windows::{Signals, asked_to_end, exit_code};

#[cfg(unix)]
mod unix {
    use std::os::unix::process::ExitStatusExt;
    use std::time::Duration;

    use rustix::io::Errno;
    use rustix::process::{Pid, Signal, kill_process, kill_process_group};
    use tokio::signal::unix::{Signal as SignalStream, SignalKind, signal};
    use tokio::time::timeout;

    use super::*;

    /// The terminal sends Ctrl-C to the program as well: so long it may take to end by that.
    const GRACE: Duration = Duration::from_millis(200);

    /// The signals that ask for an end, from now on.
    pub struct Signals {
        interrupt: SignalStream,
        terminate: SignalStream,
        hang_up: SignalStream,
    }

    impl Signals {
        pub fn listen() -> io::Result<Self> {
            Ok(Self {
                interrupt: signal(SignalKind::interrupt())?,
                terminate: signal(SignalKind::terminate())?,
                hang_up: signal(SignalKind::hangup())?,
            })
        }

        async fn next(&mut self) -> Signal {
            tokio::select! {
                _ = self.interrupt.recv() => Signal::INT,
                _ = self.terminate.recv() => Signal::TERM,
                _ = self.hang_up.recv() => Signal::HUP,
            }
        }

        /// Waits for a child, and passes on to it what this process is asked.
        pub async fn wait(&mut self, child: &mut Child, target: Target) -> io::Result<ExitStatus> {
            loop {
                let signal = tokio::select! {
                    status = child.wait() => return status,
                    signal = self.next() => signal,
                };
                if target == Target::Process
                    && let Ok(status) = timeout(GRACE, child.wait()).await
                {
                    return status;
                }
                let Some(id) = child.id().and_then(|id| Pid::from_raw(id.try_into().ok()?)) else {
                    continue;
                };
                let sent = match target {
                    Target::Process => kill_process(id, signal),
                    Target::Group => kill_process_group(id, signal),
                };
                match sent {
                    Ok(()) | Err(Errno::SRCH) => {} // it may have ended in this very moment
                    Err(error) => return Err(error.into()),
                }
            }
        }
    }

    /// Ctrl-C, or SIGTERM, which a container's first process gets only if it listens to it.
    pub fn asked_to_end() -> io::Result<impl Future<Output = ()>> {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        Ok(async move {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        })
    }

    /// The program's status; like a shell's if a signal ended it.
    pub fn exit_code(status: ExitStatus) -> ExitCode {
        let code = status
            .code()
            .or(status.signal().map(|signal| 128 + signal))
            .unwrap_or(1);
        ExitCode::from(u8::try_from(code).unwrap_or(1))
    }
}

/// A console sends Ctrl-C to all programs in it, and ends them all when it is closed: nothing is to be passed on.
#[cfg(windows)]
mod windows {
    use tokio::signal::windows::{CtrlC, ctrl_c};

    use super::*;

    /// How a program ends that leaves Ctrl-C to the system (`STATUS_CONTROL_C_EXIT`).
    const CONTROL_C: i32 = 0xC000_013A_u32.cast_signed();

    /// Ctrl-C, which does not end this process from now on.
    pub struct Signals(CtrlC);

    impl Signals {
        pub fn listen() -> io::Result<Self> {
            ctrl_c().map(Self)
        }

        /// Waits for a child, which gets every Ctrl-C itself.
        pub async fn wait(&mut self, child: &mut Child, _: Target) -> io::Result<ExitStatus> {
            loop {
                tokio::select! {
                    status = child.wait() => return status,
                    _ = self.0.recv() => {}
                }
            }
        }
    }

    /// Ctrl-C.
    pub fn asked_to_end() -> io::Result<impl Future<Output = ()>> {
        let mut interrupt = ctrl_c()?;
        Ok(async move {
            interrupt.recv().await;
        })
    }

    /// The program's status; like a shell's if Ctrl-C ended it.
    pub fn exit_code(status: ExitStatus) -> ExitCode {
        match status.code() {
            Some(CONTROL_C) => ExitCode::from(130),
            code => ExitCode::from(code.and_then(|code| code.try_into().ok()).unwrap_or(1)),
        }
    }
}
