//! SIGINT and SIGTERM: a command that ends in good order is asked to, any other is dropped.

use super::exit::Exit;
use super::{Command, Context};

/// Runs a command; a second signal ends the program at once.
pub(super) async fn run(command: Command, context: &Context) -> anyhow::Result<Exit> {
    let ends_in_order = command.ends_in_order();
    let work = command.run(context);
    tokio::pin!(work);
    let exit = tokio::select! {
        result = &mut work => return result,
        exit = signal() => exit,
    };
    context.shutdown.cancel();
    if !ends_in_order {
        return Ok(exit);
    }
    context.output.say("stopping after the commit in hand; once more to stop at once");
    tokio::select! {
        result = &mut work => result.map(|_| exit),
        again = signal() => Ok(again),
    }
}

#[cfg(unix)]
async fn signal() -> Exit {
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

#[cfg(not(unix))]
async fn signal() -> Exit {
    match tokio::signal::ctrl_c().await {
        Ok(()) => Exit::INTERRUPTED,
        Err(_) => std::future::pending().await,
    }
}
