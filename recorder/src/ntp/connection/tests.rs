use std::net::UdpSocket;
use std::thread;

use crossbeam_channel::{Sender, bounded};

use super::*;
use crate::ntp::manners::Settings;
use crate::ntp::packet::{MODE_SERVER, PACKET_BYTES};

const NOW: u64 = 4_004_294_400 << 32;

/// A server that gives each question to `answer`, until it returns nothing any more.
fn server(
    mut answer: impl FnMut(u64, Packet, &UdpSocket, SocketAddr) -> bool + Send + 'static,
) -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
    let address = socket.local_addr().expect("bound");
    // It ends with its last question; one that nobody asks any more ends with the test.
    thread::spawn(move || {
        let mut bytes = [0; PACKET_BYTES];
        for number in 0.. {
            let (length, from) = socket.recv_from(&mut bytes).expect("a question");
            let question = Packet::decode(&bytes[..length]).expect("48 bytes");
            if !answer(number, question, &socket, from) {
                break;
            }
        }
    });
    address
}

fn good(question: &Packet) -> Packet {
    Packet {
        version: 4,
        mode: MODE_SERVER,
        stratum: 1,
        precision: -20,
        origin: question.transmit,
        receive: NOW,
        transmit: NOW,
        ..Packet::default()
    }
}

fn send(socket: &UdpSocket, packet: &Packet, to: SocketAddr) {
    socket.send_to(&packet.encode(), to).expect("sent");
}

fn connection(address: SocketAddr, probes: u32) -> Connection {
    Connection::open(address, Manners::new(Settings { interval_s: 16.0, probes }, address)).expect("a socket")
}

fn running() -> (Sender<()>, Stop) {
    let (sender, receiver) = bounded(1);
    (sender, Stop(receiver))
}

#[test]
fn each_question_of_a_burst_has_another_nonce_and_becomes_an_exchange() {
    let mut nonces = Vec::new();
    let address = server(move |_, question, socket, from| {
        assert_eq!((question.mode, question.version), (3, 4));
        assert!(!nonces.contains(&question.transmit));
        nonces.push(question.transmit);
        send(socket, &good(&question), from);
        true
    });
    let (_running, stop) = running();
    let mut counts = Counts::default();
    let burst = connection(address, 3).burst(&stop, &mut counts);
    assert_eq!((counts.asked, counts.answered, burst.exchanges.len()), (3, 3, 3));
    assert!(burst.exchanges.iter().all(|e| e.t3_s >= e.t0_s && e.t1_s == 1_795_305_600.0), "{burst:?}");
    assert!(burst.exchanges.windows(2).all(|pair| pair[1].t0_s > pair[0].t0_s));
    assert_eq!((burst.refusal, burst.error), (None, None));
}

#[test]
fn what_is_no_answer_to_a_question_is_counted_and_dropped() {
    let address = server(|_, question, socket, from| {
        let stranger = UdpSocket::bind("127.0.0.1:0").expect("a port");
        send(&stranger, &good(&question), from);
        send(socket, &Packet { origin: question.transmit ^ 1, ..good(&question) }, from);
        send(socket, &Packet { mode: 3, ..good(&question) }, from);
        socket.send_to(&good(&question).encode()[..47], from).expect("sent");
        socket.send_to(b"", from).expect("sent");
        // Two answers, of which the first counts.
        send(socket, &good(&question), from);
        send(socket, &Packet { receive: NOW + 5, transmit: NOW + 5, ..good(&question) }, from);
        true
    });
    let (_running, stop) = running();
    let mut counts = Counts::default();
    let mut connection = connection(address, 1);
    let burst = connection.burst(&stop, &mut counts);
    // The second answer is found when there is something to read for again.
    let _ = connection.burst(&stop, &mut counts);
    assert_eq!(burst.exchanges.len(), 1);
    assert!(counts.foreign >= 1 && counts.unasked >= 4, "{counts:?}");
    assert_eq!((counts.answered, counts.duplicate >= 1, counts.refused), (2, true, 0), "{counts:?}");
}

#[test]
fn a_kiss_ends_the_burst_at_once() {
    let address = server(|_, question, socket, from| {
        send(socket, &Packet { stratum: 0, reference_id: *b"RATE", ..good(&question) }, from);
        true
    });
    let (_running, stop) = running();
    let mut counts = Counts::default();
    let burst = connection(address, 16).burst(&stop, &mut counts);
    assert!(counts.asked < 16, "{counts:?}");
    assert!(matches!(burst.refusal, Some(Refusal::Kiss { .. })), "{burst:?}");
    assert!(burst.exchanges.is_empty());
}

#[test]
fn an_answer_that_comes_after_the_next_question_is_still_an_exchange() {
    let mut first = None;
    let address = server(move |number, question, socket, from| {
        match number {
            0 => first = Some(question),
            _ => {
                send(socket, &good(&question), from);
                send(socket, &good(&first.expect("it was the first")), from);
            }
        }
        true
    });
    let (_running, stop) = running();
    let mut counts = Counts::default();
    let burst = connection(address, 2).burst(&stop, &mut counts);
    assert_eq!((counts.answered, counts.late, burst.exchanges.len()), (2, 0, 2), "{counts:?}");
}

#[test]
fn a_burst_that_is_to_stop_ends_and_the_last_one_takes_what_is_on_its_way() {
    let address = server(|_, question, socket, from| {
        thread::sleep(Duration::from_millis(5));
        send(socket, &good(&question), from);
        true
    });
    let (running, stop) = running();
    drop(running);
    let mut counts = Counts::default();
    let mut connection = connection(address, 4);
    assert!(connection.burst(&stop, &mut counts).exchanges.is_empty());
    assert_eq!(counts.asked, 0);
    let last = connection.last_burst(&mut counts);
    assert_eq!(counts.asked, counts.answered + counts.unanswered, "{counts:?}");
    assert_eq!(last.exchanges.len() as u64, counts.answered);
    assert!(counts.asked >= 1);
}

#[test]
fn nobody_answers_and_the_questions_are_given_up() {
    let address = server(|_, _, _, _| true);
    let (_running, stop) = running();
    let mut counts = Counts::default();
    let burst = connection(address, 2).burst(&stop, &mut counts);
    assert_eq!((counts.asked, counts.unanswered, burst.exchanges.len()), (2, 2, 0));
    assert_eq!(burst.refusal, None);
}

#[test]
fn nonces_are_never_zero_and_units_are_units() {
    let nonces: std::collections::HashSet<u64> = (0..1000).map(|_| nonce()).collect();
    assert_eq!(nonces.len(), 1000);
    assert!(!nonces.contains(&0));
    assert!((0..1000).map(|_| unit()).all(|u| (0.0..1.0).contains(&u)));
}
