//! Announces a simulated phone on the network, as real ones announce themselves.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use mdns_sd::{IfKind, ServiceDaemon, ServiceInfo};

use crate::error::SimError;

/// What the phone's server is a kind of.
const SERVICE: &str = "_http._tcp.local.";
/// The name of the phone as a machine. Real phones are all `neon.local.`, which nobody should find
/// here who looks for glasses.
const MACHINE: &str = "simulated-neon.local.";

/// How long a goodbye may take.
const GOODBYE: Duration = Duration::from_millis(300);

/// While this is there, the phone is announced.
pub(super) struct Announcement {
    daemon: ServiceDaemon,
    full_name: String,
}

impl Announcement {
    /// Announces the phone `name` with its own number `id`, reached at `host` and `port`.
    ///
    /// # Errors
    /// [`SimError::Announce`] when the network does not allow it.
    pub(super) fn new(name: &str, id: &str, host: IpAddr, port: u16) -> Result<Self, SimError> {
        let failed = |error: mdns_sd::Error| SimError::Announce {
            device: name.to_owned(),
            problem: error.to_string(),
        };
        let daemon = ServiceDaemon::new().map_err(failed)?;
        let instance = format!("PI monitor:{name}:{id}");
        let none: Option<HashMap<String, String>> = None;
        let service = if host.is_unspecified() {
            // All addresses of this machine, as they come and go.
            ServiceInfo::new(SERVICE, &instance, MACHINE, "", port, none).map(ServiceInfo::enable_addr_auto)
        } else {
            // Only where it can be reached: a loopback address is of no use to others.
            daemon.disable_interface(IfKind::All).map_err(failed)?;
            daemon.enable_interface(IfKind::Addr(host)).map_err(failed)?;
            ServiceInfo::new(SERVICE, &instance, MACHINE, host, port, none)
        };
        let service = service.map_err(failed)?;
        let full_name = service.get_fullname().to_owned();
        daemon.register(service).map_err(failed)?;
        Ok(Self { daemon, full_name })
    }
}

impl Drop for Announcement {
    fn drop(&mut self) {
        // Others should not look for it any longer. If it fails, they will notice.
        if let Ok(said) = self.daemon.unregister(&self.full_name) {
            drop(said.recv_timeout(GOODBYE));
        }
        drop(self.daemon.shutdown());
    }
}

impl std::fmt::Debug for Announcement {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Announcement").finish_non_exhaustive()
    }
}
