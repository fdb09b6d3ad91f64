//! Pipes that nobody waits at for long.

use std::io::{self, ErrorKind, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// From now on reads and writes of `pipe` answer at once.
///
/// # Errors
/// Those of the system.
pub fn set_nonblocking(pipe: &impl AsFd) -> io::Result<()> {
    let flags = OFlag::from_bits_retain(fcntl(pipe, FcntlArg::F_GETFL)?);
    fcntl(pipe, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
    Ok(())
}

/// Give `pipe` room for `bytes`, where the system allows it.
pub fn enlarge(pipe: &impl AsFd, bytes: usize) {
    #[cfg(target_os = "linux")]
    if let Ok(bytes) = i32::try_from(bytes) {
        // The room it has otherwise is enough for all but bursts.
        let _ = fcntl(pipe, FcntlArg::F_SETPIPE_SZ(bytes));
    }
    #[cfg(not(target_os = "linux"))]
    let _ = (pipe, bytes);
}

fn timeout(wait: Duration) -> PollTimeout {
    // Rounded up: a wait that ends too early would turn in circles.
    let ms = wait.as_micros().div_ceil(1000).min(60_000);
    PollTimeout::from(u16::try_from(ms).unwrap_or(u16::MAX))
}

fn wait_for(fds: &mut [PollFd<'_>], wait: Duration) -> io::Result<()> {
    match poll(fds, timeout(wait)) {
        Ok(_) | Err(Errno::EINTR) => Ok(()),
        Err(e) => Err(e.into()),
    }
}

/// Wait until one of `pipes` can be read, or has ended, and no longer than `wait`: which of them. Those that are
/// `None` are left out.
///
/// # Errors
/// Those of the system.
pub fn readable<const N: usize>(pipes: [Option<BorrowedFd<'_>>; N], wait: Duration) -> io::Result<[bool; N]> {
    let mut fds: Vec<PollFd<'_>> =
        pipes.iter().flatten().map(|fd| PollFd::new(*fd, PollFlags::POLLIN)).collect();
    wait_for(&mut fds, wait)?;
    let mut answers = fds.iter().map(|fd| fd.any().unwrap_or(true));
    Ok(pipes.map(|pipe| pipe.is_some() && answers.next().unwrap_or(false)))
}

/// Write `bytes` to `pipe`, which answers at once, within `wait`: how many of them were written.
///
/// # Errors
/// Nobody reads it any more.
pub fn write_within(pipe: &mut (impl Write + AsFd), bytes: &[u8], wait: Duration) -> io::Result<usize> {
    let mut written = 0;
    let mut deadline = None;
    while let Some(rest) = bytes.get(written..).filter(|rest| !rest.is_empty()) {
        match pipe.write(rest) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(more) => written += more,
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) if e.kind() == ErrorKind::WouldBlock => {
                let now = Instant::now();
                let left = deadline.get_or_insert(now + wait).saturating_duration_since(now);
                if left.is_zero() {
                    break;
                }
                wait_for(&mut [PollFd::new(pipe.as_fd(), PollFlags::POLLOUT)], left)?;
            }
            Err(e) => return Err(e),
        }
    }
    Ok(written)
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn a_pipe_that_nobody_reads_takes_what_it_has_room_for_and_no_longer_than_told() {
        let (mut reader, mut writer) = io::pipe().expect("a pipe");
        set_nonblocking(&writer).expect("a flag");
        let bytes = vec![7; 4 << 20];
        let begun = Instant::now();
        let written = write_within(&mut writer, &bytes, Duration::from_millis(20)).expect("readable");
        assert!((1..bytes.len()).contains(&written), "{written}");
        assert!(begun.elapsed() >= Duration::from_millis(20));
        let mut read = vec![0; written];
        reader.read_exact(&mut read).expect("as many");
        assert!(read.iter().all(|b| *b == 7));
        drop(reader);
        assert!(write_within(&mut writer, &bytes, Duration::ZERO).is_err());
    }

    #[test]
    fn what_can_be_read_is_told_and_so_is_an_end() {
        let (first, mut to_first) = io::pipe().expect("a pipe");
        let (second, to_second) = io::pipe().expect("a pipe");
        let look =
            || readable([Some(first.as_fd()), None, Some(second.as_fd())], Duration::ZERO).expect("a look");
        assert_eq!(look(), [false, false, false]);
        to_first.write_all(b"x").expect("room");
        assert_eq!(look(), [true, false, false]);
        drop(to_second);
        assert_eq!(look(), [true, false, true]);
    }
}
