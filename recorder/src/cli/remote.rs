//! `lockstep record --remote`

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::Failure;
use super::record::RecordArgs;
use crate::config::{ConfigPath, Loaded};
use crate::recording::verdict::Outcome;
use crate::remote::{ServeError, serve, token};

/// Run it: what `loaded` says, as often as somebody asks for it.
pub fn run(loaded: &Loaded, args: &RecordArgs) -> Result<u8, Failure> {
    if args.output.is_some() {
        return Err(Failure::usage(
            "--output names one file, and with remote control there may be many",
            "set `directory` and `filename` in [recording], or send `filename {root:..}{template:..}`",
        ));
    }
    let remote = &loaded.config.remote;
    // It was checked with the rest of the configuration.
    let bind = remote.bind.parse().unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
    let address = SocketAddr::new(bind, remote.port);
    let token = token::settle(loaded)?;
    match serve(loaded, &args.plugins.search(), address, token, args.json, args.stop_on_stdin) {
        Ok(outcomes) => Ok(exit_code(&outcomes)),
        Err(error @ ServeError::Listen { .. }) => {
            let at = ConfigPath::root().key("remote");
            let help =
                "another program may use this port: end it, or choose another with --remote 127.0.0.1:PORT";
            Err(loaded.error_at(&at, error.to_string(), help).into())
        }
        Err(error) => Err(Failure::other(error, "")),
    }
}

/// Of all recordings: fine when each is complete, failed when there is none that can be used.
fn exit_code(outcomes: &[Outcome]) -> u8 {
    let usable = outcomes.iter().any(|outcome| *outcome != Outcome::Failed);
    match outcomes.iter().max() {
        None => Outcome::Complete.exit_code(),
        Some(Outcome::Failed) if usable => Outcome::Lossy.exit_code(),
        Some(worst) => worst.exit_code(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exit_code_is_that_of_all_recordings_together() {
        use Outcome::{Complete, Failed, Lossy};
        for (outcomes, code) in [
            (&[][..], 0),
            (&[Complete, Complete], 0),
            (&[Complete, Lossy, Complete], 3),
            (&[Complete, Failed], 3),
            (&[Failed], 1),
        ] {
            assert_eq!(exit_code(outcomes), code, "{outcomes:?}");
        }
    }
}
