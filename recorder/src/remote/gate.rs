//! Who may give commands: whoever says the token, where there is one.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::protocol::Command;
use crate::config::Secret;

/// A connection on which no token was said for so long is closed.
const TOKEN_WAIT: Duration = Duration::from_secs(10);
/// From one word about clients that were refused to the next.
const TOLD_PAUSE: Duration = Duration::from_secs(10);

/// Clients that were refused.
#[derive(Debug, Clone, Copy, Default)]
pub struct Refused {
    /// How many.
    pub count: u64,
    /// The last one.
    pub last: Option<SocketAddr>,
}

/// Where all connections come in.
#[derive(Debug, Clone)]
pub struct Gate {
    token: Option<Secret>,
    refused: watch::Sender<Refused>,
}

impl Gate {
    /// With this token, and who hears of those who are refused.
    pub fn new(token: Option<Secret>) -> (Self, Refusals) {
        let (refused, seen) = watch::channel(Refused::default());
        (Self { token, refused }, Refusals { seen, told: 0, next: Instant::now() })
    }

    /// For a new connection.
    pub fn pass(&self) -> Pass {
        let until = self.token.is_some().then(|| Instant::now() + TOKEN_WAIT);
        Pass { gate: self.clone(), until }
    }
}

/// What one connection has shown.
#[derive(Debug)]
pub struct Pass {
    gate: Gate,
    /// Until when the token has to be said; `None`: it may give commands.
    until: Option<Instant>,
}

impl Pass {
    /// When the token was not said in time; never otherwise.
    pub async fn overdue(&self) {
        match self.until {
            Some(until) => sleep_until(until).await,
            None => std::future::pending().await,
        }
    }

    /// Whether `command` may pass (`None`), or what it is answered; after an error the connection is to be closed.
    /// A line that is no command is `None`.
    pub fn show(
        &mut self,
        command: Option<&Command>,
        from: SocketAddr,
    ) -> Option<Result<&'static str, &'static str>> {
        let refused = match (&self.gate.token, command) {
            (None, Some(Command::Token(_))) => return Some(Ok("no token is needed here")),
            (Some(token), Some(Command::Token(said))) if token.is(said) => {
                self.until = None;
                return Some(Ok("the token is right"));
            }
            (_, Some(Command::Token(_))) => "the token is wrong",
            _ if self.until.is_none() => return None,
            _ => "commands are taken after the line `token SECRET`: send it first",
        };
        self.gate.refused.send_modify(|all| *all = Refused { count: all.count + 1, last: Some(from) });
        Some(Err(refused))
    }
}

/// Tells of clients that were refused, all at once where there are many.
#[derive(Debug, Clone)]
pub struct Refusals {
    seen: watch::Receiver<Refused>,
    told: u64,
    next: Instant,
}

impl Refusals {
    /// The next word about them. Dropping the future loses none.
    pub async fn heard(&mut self) -> (u64, String) {
        sleep_until(self.next).await;
        let told = self.told;
        let all = match self.seen.wait_for(|all| all.count > told).await {
            Ok(all) => *all,
            // The server has ended.
            Err(_) => std::future::pending().await,
        };
        (self.told, self.next) = (all.count, Instant::now() + TOLD_PAUSE);
        let last = all.last.map_or_else(String::new, |last| last.to_string());
        let text = match all.count - told {
            1 => format!("a client without the right token was refused: {last}"),
            more => format!("{more} clients without the right token were refused, the last one {last}"),
        };
        (all.count, text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FROM: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 9);

    fn said(text: &str) -> Option<Command> {
        Some(Command::Token(Secret::new(text)))
    }

    #[test]
    fn nothing_passes_before_the_token() {
        let (gate, _) = Gate::new(Some(Secret::new("2f1c9d7be04a4d0f")));
        for command in [Some(Command::Status), Some(Command::Help), Some(Command::Start), None, said("wrong")]
        {
            let mut pass = gate.pass();
            assert!(matches!(pass.show(command.as_ref(), FROM), Some(Err(_))), "{command:?}");
            assert!(pass.until.is_some());
        }
        assert_eq!(gate.refused.borrow().count, 5);
        let mut pass = gate.pass();
        assert!(matches!(pass.show(said("2f1c9d7be04a4d0f").as_ref(), FROM), Some(Ok(_))));
        assert_eq!(pass.show(Some(&Command::Start), FROM), None);
        assert_eq!(pass.show(None, FROM), None, "what is no command is answered as ever");
        assert!(matches!(pass.show(said("wrong").as_ref(), FROM), Some(Err(_))));
    }

    #[test]
    fn without_a_token_none_is_needed() {
        let (gate, _) = Gate::new(None);
        let mut pass = gate.pass();
        assert_eq!(pass.show(Some(&Command::Start), FROM), None);
        assert!(
            matches!(pass.show(said("anything").as_ref(), FROM), Some(Ok(_))),
            "for clients that always say one"
        );
    }

    #[tokio::test]
    async fn many_are_told_at_once_and_none_is_forgotten() {
        let (gate, mut refusals) = Gate::new(Some(Secret::new("2f1c9d7be04a4d0f")));
        let refuse = |times: u16| {
            (0..times).for_each(|_| assert!(gate.pass().show(None, FROM).is_some_and(|said| said.is_err())));
        };
        refuse(1);
        assert_eq!(
            refusals.heard().await,
            (1, "a client without the right token was refused: 127.0.0.1:9".into())
        );
        refuse(700);
        tokio::select! {
            _ = refusals.heard() => panic!("too early"),
            () = tokio::time::sleep(Duration::from_millis(20)) => {}
        }
        refuse(300);
        refusals.next = Instant::now();
        let (count, text) = refusals.heard().await;
        assert!(count == 1001 && text.starts_with("1000 clients"), "{text}");
    }
}
