//! The machine itself.

/// Name of this machine, as its network knows it.
pub fn hostname() -> String {
    gethostname::gethostname().to_string_lossy().into_owned()
}
