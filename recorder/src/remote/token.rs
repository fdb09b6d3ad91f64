//! The token that a client says first, where one is asked for: where it stands.

use std::ffi::OsString;
use std::fs::File;
use std::io::Read;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use crate::config::{ConfigError, ConfigPath, Loaded, SECRET_MAX_BYTES, Secret};

/// A token for whoever keeps it in no file; it goes before that of the configuration.
pub const TOKEN_VARIABLE: &str = "LOCKSTEP_REMOTE_TOKEN";

/// How a token is made, for the mend of errors.
const MAKE: &str = "make one of chance, as `openssl rand -hex 16` does";

/// The token that commands have to begin with, as `loaded` and the environment say; `None`: none is asked for, and
/// only programs of this machine reach it.
///
/// # Errors
/// There is none though there has to be one, or what there is cannot serve.
pub fn settle(loaded: &Loaded) -> Result<Option<Secret>, ConfigError> {
    of(loaded, std::env::var_os(TOKEN_VARIABLE))
}

fn of(loaded: &Loaded, environment: Option<OsString>) -> Result<Option<Secret>, ConfigError> {
    let remote = &loaded.config.remote;
    let at = |key: &str| ConfigPath::root().key("remote").key(key);
    if let Some(text) = environment {
        let token = Secret::new(text.into_string().unwrap_or_default());
        return match token.fault() {
            Some(fault) => Err(ConfigError::plain(format!("{TOKEN_VARIABLE} {fault}"), MAKE)),
            None => Ok(Some(token)),
        };
    }
    if let Some(path) = &remote.token_file {
        let token = read(path).map_err(|fault| loaded.error_at(&at("token_file"), fault, MAKE))?;
        return Ok(Some(token));
    }
    // It was checked with the rest of the configuration, as `bind` was.
    let here = remote.bind.parse::<IpAddr>().is_ok_and(lockstep_platform::is_loopback);
    if remote.token.is_none() && !here {
        let help = format!(
            "set `token_file` in [remote] to a file with a token, or `token` to the token itself, or the variable \
             {TOKEN_VARIABLE}; {MAKE}\n`bind = \"127.0.0.1\"` is for programs of this machine only, and needs none"
        );
        let message = format!("others on the network reach {}, and no token is asked of them", remote.bind);
        return Err(loaded.error_at(&at("bind"), message, help));
    }
    Ok(remote.token.clone())
}

/// The first line of a file.
fn read(path: &Path) -> Result<Secret, String> {
    let shown = path.display();
    let mut text = String::new();
    let room = u64::try_from(SECRET_MAX_BYTES + 2).unwrap_or(u64::MAX);
    let done = File::open(path).and_then(|file| file.take(room).read_to_string(&mut text));
    done.map_err(|error| format!("the token cannot be read from {shown}: {error}"))?;
    let token = Secret::new(text.lines().next().unwrap_or_default().trim());
    match token.fault() {
        Some(fault) => Err(format!("the token in {shown} {fault}")),
        None => Ok(token),
    }
}

/// A token file that every user of this machine may read.
pub fn open_file(loaded: &Loaded) -> Option<PathBuf> {
    let path = loaded.config.remote.token_file.clone()?;
    lockstep_platform::of_anyone(&path).is_ok_and(|anyone| anyone.read).then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::parse;

    const TOKEN: &str = "2f1c9d7be04a4d0f";

    fn loaded(remote: &str) -> Loaded {
        parse(&format!("experiment.name = \"x\"\n[remote]\nenabled = true\n{remote}\n"), "x.toml", &[])
            .unwrap_or_else(|error| panic!("{}", error.render(false, 100)))
    }

    fn told(result: Result<Option<Secret>, ConfigError>) -> String {
        result.expect_err("refused").render(false, 200)
    }

    #[test]
    fn whoever_listens_to_others_needs_a_token() {
        assert_eq!(of(&loaded(""), None).expect("this machine only"), None);
        assert_eq!(of(&loaded("bind = \"::1\""), None).expect("this machine only"), None);
        for bind in ["0.0.0.0", "::", "192.0.2.1", "::ffff:10.0.0.1"] {
            let told = told(of(&loaded(&format!("bind = \"{bind}\"")), None));
            assert!(told.contains("no token is asked") && told.contains("x.toml:4"), "{told}");
            assert!(told.contains("LOCKSTEP_REMOTE_TOKEN") && told.contains("token_file"), "{told}");
        }
        let with = loaded(&format!("bind = \"0.0.0.0\"\ntoken = \"{TOKEN}\""));
        assert_eq!(of(&with, None).expect("has one"), Some(Secret::new(TOKEN)));
    }

    #[test]
    fn the_environment_goes_first_and_has_to_be_right() {
        let all = loaded("bind = \"0.0.0.0\"\ntoken = \"of_the_configuration\"");
        assert_eq!(of(&all, Some(TOKEN.into())).expect("has one"), Some(Secret::new(TOKEN)));
        let told = told(of(&all, Some("short".into())));
        assert!(told.contains("LOCKSTEP_REMOTE_TOKEN is 5 characters long"), "{told}");
    }

    #[test]
    fn a_file_is_read_to_the_end_of_its_first_line() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("token");
        let loaded = loaded(&format!("bind = \"0.0.0.0\"\ntoken_file = '{}'", path.display()));
        assert!(told(of(&loaded, None)).contains("the token cannot be read from"));
        std::fs::write(&path, format!("{TOKEN}\r\nnot this\n")).expect("written");
        assert_eq!(of(&loaded, None).expect("has one"), Some(Secret::new(TOKEN)));
        std::fs::write(&path, "x".repeat(1 << 20)).expect("written");
        assert!(told(of(&loaded, None)).contains("258 characters long"));
        std::fs::write(&path, "").expect("written");
        assert!(told(of(&loaded, None)).contains("is 0 characters long"));
    }
}
