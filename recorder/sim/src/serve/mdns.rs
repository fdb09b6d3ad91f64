//! Announces a simulated device on the network, as real ones announce themselves.

use std::net::IpAddr;
use std::time::Duration;

use mdns_sd::{IfKind, ServiceDaemon, ServiceInfo};

use crate::error::SimError;

/// What is announced.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Service<'a> {
    /// What its server is a kind of.
    pub(crate) kind: &'a str,
    /// What distinguishes it from others of its kind.
    pub(crate) instance: &'a str,
    /// The name of the device as a machine.
    pub(crate) machine: &'a str,
    /// What is told beside it.
    pub(crate) facts: &'a [(&'a str, &'a str)],
}

/// How long a goodbye may take.
const GOODBYE: Duration = Duration::from_millis(300);

/// While this is there, the device is announced.
pub(crate) struct Announcement {
    daemon: ServiceDaemon,
    full_name: String,
}

impl Announcement {
    /// Announces the device `name`, reached at `host` and `port`.
    ///
    /// # Errors
    /// [`SimError::Announce`] when the network does not allow it.
    pub(crate) fn new(name: &str, service: &Service<'_>, host: IpAddr, port: u16) -> Result<Self, SimError> {
        let failed = |error: mdns_sd::Error| SimError::Announce {
            device: name.to_owned(),
            problem: error.to_string(),
        };
        let daemon = ServiceDaemon::new().map_err(failed)?;
        let Service { kind, instance, machine, facts } = *service;
        let service = if host.is_unspecified() {
            // All addresses of this machine, as they come and go.
            ServiceInfo::new(kind, instance, machine, "", port, facts).map(ServiceInfo::enable_addr_auto)
        } else {
            // Only where it can be reached: a loopback address is of no use to others.
            daemon.disable_interface(IfKind::All).map_err(failed)?;
            daemon.enable_interface(IfKind::Addr(host)).map_err(failed)?;
            ServiceInfo::new(kind, instance, machine, host, port, facts)
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
