//! Clients of every kind, against the server on a real port.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream as Socket;
use std::time::Instant;

use super::*;
use crate::remote::board::Activity;
use crate::remote::lines::LINE_MAX_BYTES;

const PATIENCE: Duration = Duration::from_secs(20);

struct Lab {
    address: SocketAddr,
    /// What the recorder was asked to do.
    asked: Arc<parking_lot::Mutex<Vec<Command>>>,
    recorder: JoinHandle<()>,
    end: oneshot::Sender<()>,
}

/// A server, and a recorder that answers each command with what it was; `stop` it answers late.
fn lab() -> Lab {
    lab_with(None)
}

fn lab_with(token: Option<Secret>) -> Lab {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let (end, mut ended) = oneshot::channel();
    let asked = Arc::<parking_lot::Mutex<Vec<Command>>>::default();
    let heard = Arc::clone(&asked);
    let recorder = std::thread::spawn(move || {
        let board = watch::Sender::new(Board {
            state: Activity::Idle,
            address,
            sources: vec!["eeg".to_owned()],
            selected: Default::default(),
            filename: Default::default(),
            network: None,
            refused: 0,
            recording: None,
            last: None,
        });
        let mut server = Server::start(listener, board.subscribe(), token).expect("a thread");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            loop {
                tokio::select! {
                    _ = &mut ended => return,
                    Some(job) = server.next() => {
                        if job.command == Command::Stop {
                            sleep(Duration::from_millis(50)).await;
                        }
                        heard.lock().push(job.command.clone());
                        let text = format!("{:?}", job.command);
                        job.answer(Reply::Done(text));
                    }
                }
            }
        });
        server.finish();
    });
    Lab { address, asked, recorder, end }
}

impl Lab {
    fn connect(&self) -> Socket {
        let socket = Socket::connect(self.address).expect("a connection");
        socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        socket.set_write_timeout(Some(PATIENCE)).expect("a timeout");
        socket
    }

    /// End it; how long that took.
    fn finish(self) -> Duration {
        let begun = Instant::now();
        self.end.send(()).expect("it runs");
        self.recorder.join().expect("it ends");
        begun.elapsed()
    }
}

fn talk(socket: &Socket, text: &[u8], answers: usize) -> Vec<String> {
    (&*socket).write_all(text).expect("sent");
    let lines = BufReader::new(socket).lines().take(answers);
    lines.map(|line| line.expect("an answer")).collect()
}

#[test]
fn commands_are_answered_in_their_order_also_when_they_come_at_once() {
    let lab = lab();
    let socket = lab.connect();
    let answers = talk(&socket, b"stop\nnonsense\r\nstart\nselect all\nstatus\n", 5);
    assert_eq!(answers[0], "OK Stop");
    assert!(
        answers[1].starts_with("ERROR \"nonsense\" is no command: the commands are start"),
        "{answers:?}"
    );
    assert_eq!(answers[2..4], ["OK Start", "OK SelectAll"]);
    let status = answers[4].strip_prefix("OK ").expect("OK");
    let status: serde_json::Value = serde_json::from_str(status).expect("JSON");
    assert_eq!((status["state"].as_str(), status["sources"][0].as_str()), (Some("idle"), Some("eeg")));
    lab.finish();
}

#[test]
fn a_command_without_its_end_is_not_obeyed_and_answers_come_after_the_client_has_said_all() {
    let lab = lab();
    let mut socket = lab.connect();
    socket.write_all(b"start\nstop\nsta").expect("sent");
    socket.shutdown(std::net::Shutdown::Write).expect("half closed");
    let mut all = String::new();
    socket.read_to_string(&mut all).expect("answers, then the end");
    let lines: Vec<&str> = all.lines().collect();
    assert_eq!(lines[..2], ["OK Start", "OK Stop"]);
    assert!(lines[2].starts_with("ERROR the connection ended within a line"), "{all}");
    lab.finish();
}

#[test]
fn a_script_that_reads_nothing_and_is_gone_at_once_is_obeyed() {
    let lab = lab();
    for _ in 0..20 {
        let mut socket = lab.connect();
        // What its own system still holds back when it closes, nobody can obey.
        socket.set_nodelay(true).expect("set");
        for line in [&b"select none\n"[..], b"select all\n", b"update\n", b"status\n", b"help\n", b"start\n"]
        {
            socket.write_all(line).expect("sent");
            std::thread::sleep(Duration::from_millis(2));
        }
        drop(socket);
        let begun = Instant::now();
        while lab.asked.lock().last() != Some(&Command::Start) {
            assert!(begun.elapsed() < PATIENCE, "{:?}", lab.asked.lock());
            std::thread::sleep(Duration::from_millis(5));
        }
        assert_eq!(
            *lab.asked.lock(),
            [Command::SelectNone, Command::SelectAll, Command::Update, Command::Start]
        );
        lab.asked.lock().clear();
    }
    lab.finish();
}

#[test]
fn silent_slow_and_flooding_clients_do_not_hold_up_another_nor_the_end() {
    let lab = lab();
    let _silent: Vec<Socket> = (0..10).map(|_| lab.connect()).collect();
    // It sends all it can and takes no answer.
    let mut flood = lab.connect();
    flood.set_nonblocking(true).expect("set");
    let lines = "status\nselect all\nnonsense\n".repeat(1000);
    for _ in 0..1000 {
        let _ = flood.write(lines.as_bytes());
    }
    let mut endless = lab.connect();
    endless.set_nonblocking(true).expect("set");
    for _ in 0..1000 {
        let _ = endless.write(&[b'x'; 1 << 16]);
    }
    let begun = Instant::now();
    assert_eq!(talk(&lab.connect(), b"start\n", 1), ["OK Start"]);
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert!(lab.finish() < LAST_WORDS + Duration::from_secs(5));
}

#[test]
fn too_many_connections_are_turned_away_and_room_comes_back() {
    let lab = lab();
    let mut open: Vec<Socket> = (0..CONNECTIONS_MAX).map(|_| lab.connect()).collect();
    for socket in &open {
        assert_eq!(talk(socket, b"update\n", 1), ["OK Update"]);
    }
    let mut answer = String::new();
    lab.connect().read_to_string(&mut answer).expect("told, and closed");
    assert!(answer.starts_with("ERROR there are 32 connections already"), "{answer}");
    open.clear();
    let begun = Instant::now();
    loop {
        let mut socket = lab.connect();
        let mut answer = [0; 2];
        if socket.write_all(b"update\n").is_ok() && socket.read_exact(&mut answer).is_ok() && answer == *b"OK"
        {
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "no room");
    }
    lab.finish();
}

#[test]
fn nothing_of_a_web_browser_is_obeyed() {
    let lab = lab();
    let mut socket = lab.connect();
    socket.write_all(b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\nstart\nstop\n").expect("sent");
    let mut all = Vec::new();
    // It may be reset, for not all was read.
    let _ = socket.read_to_end(&mut all);
    assert!(!String::from_utf8_lossy(&all).contains("OK"), "{all:?}");
    lab.finish();
}

#[test]
fn lines_that_are_too_long_or_no_text_are_told() {
    let lab = lab();
    let socket = lab.connect();
    let mut bytes = vec![b'x'; 3 * LINE_MAX_BYTES];
    bytes.extend(b"\n\xff\n\nhelp\n");
    let answers = talk(&socket, &bytes, 4);
    assert!(answers[0].starts_with("ERROR a line is 8192 bytes long at the most"), "{answers:?}");
    assert!(answers[1].starts_with("ERROR the line is not UTF-8"), "{answers:?}");
    assert!(answers[2].starts_with("ERROR an empty line"), "{answers:?}");
    assert!(answers[3].starts_with("OK commands, one a line: start"), "{answers:?}");
    lab.finish();
}

#[test]
fn only_who_says_the_token_is_obeyed() {
    let lab = lab_with(Some(Secret::new("2f1c9d7be04a4d0f")));
    let right = lab.connect();
    let answers = talk(&right, b"token 2f1c9d7be04a4d0f\nstart\nstatus\n", 3);
    assert_eq!(answers[..2], ["OK the token is right", "OK Start"]);
    assert!(!answers[2].contains("2f1c9d7b"), "{answers:?}");
    for wrong in ["start\nstart\n", "status\n", "token 2f1c9d7be04a4d0e\nstart\n", "nonsense\n", "token\n"] {
        let mut socket = lab.connect();
        let begun = Instant::now();
        socket.write_all(wrong.as_bytes()).expect("sent");
        let mut all = Vec::new();
        // It may be reset, for not all was read.
        let _ = socket.read_to_end(&mut all);
        let all = String::from_utf8(all).expect("text");
        assert!(all.starts_with("ERROR ") && all.lines().count() == 1, "{wrong:?}: {all}");
        assert!(begun.elapsed() >= REFUSAL_PAUSE, "guessing takes long: {:?}", begun.elapsed());
    }
    assert_eq!(*lab.asked.lock(), [Command::Start], "of the one with the token");
    assert_eq!(talk(&right, b"stop\n", 1), ["OK Stop"], "it goes on beside them");
    lab.finish();
}
