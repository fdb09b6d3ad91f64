//! The Time Echo: a client sends eight bytes, the phone adds its time in whole milliseconds.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::sleep;

use crate::host::now_s;

use super::shared::{Shared, count};
use super::truth::Exchange;

/// Between the two parts of a reply that comes in two.
const SPLIT_PAUSE: Duration = Duration::from_millis(20);

/// Answers one connection until it ends.
pub(super) async fn serve(stream: &mut TcpStream, shared: &Shared) {
    if let Err(error) = answer_all(stream, shared).await {
        tracing::debug!(%error, "Time Echo connection");
    }
}

async fn answer_all(stream: &mut TcpStream, shared: &Shared) -> io::Result<()> {
    let connection = shared.next_connection();
    let mut ways = shared.ways();
    let mut question = [0; 8];
    let mut number: u64 = 0;
    loop {
        match stream.read_exact(&mut question).await {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            Err(error) => return Err(error),
        }
        ways.there().await;
        let received_host_s = now_s();
        let read_host_s = now_s();
        let device_ms = shared.phone.device_ms(read_host_s);
        let t1_ms = u64::from_be_bytes(question);
        number += 1;
        let faults = &shared.config.echo;
        let each = |every: Option<u64>| every.is_some_and(|every| number.is_multiple_of(every));
        let (wrong, split) = (each(faults.wrong_every), each(faults.split_every));
        let reply = reply(if wrong { t1_ms.wrapping_add(1) } else { t1_ms }, device_ms);
        let sent_host_s = now_s();
        ways.back().await;
        if split {
            let (first, second) = reply.split_at(reply.len() / 2);
            stream.write_all(first).await?;
            sleep(SPLIT_PAUSE).await;
            stream.write_all(second).await?;
        } else {
            stream.write_all(&reply).await?;
        }
        count(&shared.counts.echoes);
        shared.logs.exchange(&Exchange {
            connection,
            question: number - 1,
            t1_ms,
            received_host_s,
            read_host_s,
            device_ms,
            sent_host_s,
            fault: match (wrong, split) {
                (false, false) => "",
                (true, false) => "wrong",
                (false, true) => "split",
                (true, true) => "wrong and split",
            },
        });
    }
}

/// Sixteen bytes: what the client said, and the phone's time.
fn reply(t1_ms: u64, device_ms: i64) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&t1_ms.to_be_bytes());
    bytes[8..].copy_from_slice(&device_ms.to_be_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_is_two_big_endian_numbers() {
        assert_eq!(reply(258, 3), [0, 0, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 0, 0, 0, 3]);
    }
}
