//! Accepts connections, and resets all of them when the phone goes away.

use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::host::now_s;
use crate::serve;

use super::shared::{Shared, count};
use super::{echo, http, rtsp};

/// Most connections of one kind at a time; more are closed at once.
const CONNECTIONS: usize = 128;
/// Pause after an error of a listening socket, so that a lasting one cannot spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(10);

/// What is spoken over a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Service {
    /// REST and the status socket.
    Http,
    /// RTSP.
    Rtsp,
    /// Time Echo.
    Echo,
}

/// Serves all who come until `stop` turns true or is dropped.
pub(super) async fn run(
    listener: TcpListener,
    service: Service,
    shared: Arc<Shared>,
    mut stop: watch::Receiver<bool>,
) {
    // Dropped at the end, which ends every connection.
    let mut connections = JoinSet::new();
    while !*stop.borrow() {
        tokio::select! {
            changed = stop.changed() => if changed.is_err() { return },
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) if shared.is_out(now_s()) => reset(&stream, &shared),
                Ok(_) if connections.len() >= CONNECTIONS => {}
                Ok((stream, _)) => {
                    connections.spawn(serve_one(stream, service, Arc::clone(&shared)));
                }
                Err(error) => {
                    tracing::debug!(?service, %error, "accept");
                    sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
}

async fn serve_one(mut stream: TcpStream, service: Service, shared: Arc<Shared>) {
    // Small answers and frames leave at once.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(?service, %error, "nodelay");
    }
    let mut outages = shared.outages();
    let served = async {
        match service {
            Service::Http => http::serve(&mut stream, &shared).await,
            Service::Rtsp => rtsp::serve(&mut stream, &shared).await,
            Service::Echo => echo::serve(&mut stream, &shared).await,
        }
    };
    let away = tokio::select! {
        () = served => false,
        _ = outages.wait_for(|out| *out) => true,
    };
    if away {
        reset(&stream, &shared);
    }
}

fn reset(stream: &TcpStream, shared: &Shared) {
    count(&shared.counts.resets);
    serve::reset_at_end(stream);
}
