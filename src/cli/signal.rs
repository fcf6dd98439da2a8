//! SIGINT and SIGTERM: a command that ends in good order is asked to, any other is dropped.

use std::time::Duration;

use tokio::sync::broadcast;

use super::exit::Exit;
use super::{Command, Context};
use crate::sync;

/// How long a command that is dropped may take to notice; one that computes without a pause never does.
const GRACE: Duration = Duration::from_millis(500);
/// Signals that may wait to be noticed; more than two mean no more than two.
const WAITING: usize = 4;

/// What a command does when a signal comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OnSignal {
    /// It is dropped where it stands.
    Drop,
    /// It looks at [`Context::shutdown`] and ends in good order; a second signal ends the program at once.
    EndInOrder,
    /// It notices SIGINT by itself and goes on; SIGTERM drops it.
    Own,
}

/// The signals that the process is sent, as the exit codes they stand for.
#[derive(Debug, Clone)]
pub struct Signals(broadcast::Sender<Exit>);

impl Signals {
    /// Returns signals that nobody listens for yet.
    pub(super) fn new() -> Self {
        Self(broadcast::channel(WAITING).0)
    }

    /// Waits for the next signal from now on.
    pub(super) fn next(&self) -> impl Future<Output = Exit> + use<> {
        let mut receiver = self.0.subscribe();
        async move {
            match receiver.recv().await {
                Ok(exit) => exit,
                // Nobody is left who could send one.
                Err(_) => std::future::pending().await,
            }
        }
    }

    /// Listens on a thread of its own: queries that compute keep all threads of the runtime busy.
    fn listen(&self, manner: OnSignal) {
        let signals = self.0.clone();
        let thread = std::thread::Builder::new().name("signals".into()).spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            // Without handlers the system's own behaviour holds.
            if let Ok(runtime) = runtime {
                runtime.block_on(watch(&signals, manner));
            }
        });
        if let Err(error) = thread {
            tracing::debug!(%error, "signals have the system's own effect");
        }
    }
}

/// Runs a command to its end or to a signal.
pub(super) async fn run(command: Command, context: &Context) -> anyhow::Result<Exit> {
    let manner = command.on_signal();
    let signal = context.signals.next();
    let work = command.run(context);
    context.signals.listen(manner);
    if manner == OnSignal::Own {
        return work.await;
    }
    tokio::pin!(work, signal);
    let exit = tokio::select! {
        biased;
        exit = &mut signal => exit,
        result = &mut work => return result,
    };
    context.shutdown.cancel();
    if manner == OnSignal::EndInOrder {
        context.output.say("stopping after the commit in hand; once more to stop at once");
        return match work.await {
            Err(error) if is_stopped(&error) => {
                context.output.say(&error.to_string());
                Ok(exit)
            }
            result => result.map(|_| exit),
        };
    }
    Ok(exit)
}

/// Tells whether a command ended because it was asked to.
fn is_stopped(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(sync::Error::Stopped { .. }))
}

/// Passes signals on, and ends the program where that is not enough.
async fn watch(signals: &broadcast::Sender<Exit>, manner: OnSignal) {
    // Without handlers the system's own behaviour holds.
    let Ok(mut listener) = Listener::new() else { return };
    let mut count = 0;
    loop {
        let exit = listener.next().await;
        count += 1;
        // Whoever listens has ended just now, where nobody does.
        let _ = signals.send(exit);
        let is_last = match manner {
            OnSignal::EndInOrder => count > 1,
            OnSignal::Own => exit != Exit::INTERRUPTED,
            OnSignal::Drop => true,
        };
        if is_last {
            if manner != OnSignal::EndInOrder {
                tokio::time::sleep(GRACE).await;
            }
            std::process::exit(i32::from(exit.code()));
        }
    }
}

/// Hears SIGINT and SIGTERM.
#[cfg(unix)]
struct Listener {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Listener {
    fn new() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let (interrupt, terminate) = (SignalKind::interrupt(), SignalKind::terminate());
        Ok(Self { interrupt: signal(interrupt)?, terminate: signal(terminate)? })
    }

    async fn next(&mut self) -> Exit {
        tokio::select! {
            _ = self.interrupt.recv() => Exit::INTERRUPTED,
            _ = self.terminate.recv() => Exit::TERMINATED,
        }
    }
}

/// Hears Ctrl-C.
#[cfg(not(unix))]
struct Listener;

#[cfg(not(unix))]
impl Listener {
    fn new() -> std::io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) -> Exit {
        match tokio::signal::ctrl_c().await {
            Ok(()) => Exit::INTERRUPTED,
            Err(_) => std::future::pending().await,
        }
    }
}
