//! SIGINT and SIGTERM: a command that ends in good order is asked to, any other is dropped.

use super::exit::Exit;
use super::{Command, Context};

/// What a command does when a signal comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OnSignal {
    /// It is dropped where it stands.
    Drop,
    /// It looks at [`Context::shutdown`] and ends in good order.
    EndInOrder,
    /// It listens for itself.
    Own,
}

/// Runs a command; a second signal ends the program at once.
pub(super) async fn run(command: Command, context: &Context) -> anyhow::Result<Exit> {
    let manner = command.on_signal();
    let work = command.run(context);
    if manner == OnSignal::Own {
        return work.await;
    }
    tokio::pin!(work);
    let exit = tokio::select! {
        result = &mut work => return result,
        exit = received() => exit,
    };
    context.shutdown.cancel();
    if manner == OnSignal::Drop {
        return Ok(exit);
    }
    context.output.say("stopping after the commit in hand; once more to stop at once");
    tokio::select! {
        result = &mut work => result.map(|_| exit),
        again = received() => Ok(again),
    }
}

/// Waits for SIGINT or SIGTERM; from the first call on, only those who wait here hear of them.
#[cfg(unix)]
pub(super) async fn received() -> Exit {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut interrupt), Ok(mut terminate)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        // Without handlers the system's own behaviour holds.
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => Exit::INTERRUPTED,
        _ = terminate.recv() => Exit::TERMINATED,
    }
}

/// Waits for Ctrl-C.
#[cfg(not(unix))]
pub(super) async fn received() -> Exit {
    match tokio::signal::ctrl_c().await {
        Ok(()) => Exit::INTERRUPTED,
        Err(_) => std::future::pending().await,
    }
}
