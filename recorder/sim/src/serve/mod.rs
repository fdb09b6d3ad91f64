//! What simulated devices share that are reached over the network.

mod identity;
mod span;

pub(crate) mod mdns;
pub(crate) mod message;
pub(crate) mod tcp;
pub(crate) mod time;
pub(crate) mod ways;

use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpStream};

use crate::error::SimError;

pub(crate) use identity::identity;
pub use span::Span;

/// Opens a port.
///
/// # Errors
/// [`SimError::Listen`] when it is taken or not of this machine.
pub(crate) async fn bind(device: &str, address: SocketAddr) -> Result<(TcpListener, SocketAddr), SimError> {
    let failed = |source| SimError::Listen { device: device.to_owned(), address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}

/// Makes the end of a connection a reset instead of an orderly end.
pub(crate) fn reset_at_end(stream: &TcpStream) {
    if let Err(error) = stream.set_zero_linger() {
        tracing::debug!(%error, "cannot reset a connection");
    }
}
