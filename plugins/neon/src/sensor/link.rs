//! One connection to one sensor: the session, and what comes of it.

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use lockstep_platform::{Datagram, UdpOptions, UdpReceiver, monotonic_ns};
use lockstep_plugin_api::Stop;

use crate::options::Transport;
use crate::phone::Sensor;
use crate::pipeline::{Output, Pipeline};
use crate::rtsp::demux::{Demux, Item};
use crate::rtsp::dialogue::{Carrier, Dialogue};

/// Longest wait for the connection.
const CONNECT: Duration = Duration::from_millis(400);
/// Longest wait for an answer on the way to the first packet.
const ANSWER: Duration = Duration::from_secs(2);
/// Longest wait for bytes before it is looked at the clock and the stop.
const LOOK: Duration = Duration::from_millis(50);
/// The same while a packet is held back for one that is missing.
const LOOK_HOLDING: Duration = Duration::from_millis(10);
/// A sensor of a regular rate that sends nothing for so long is lost.
const QUIET: Duration = Duration::from_secs(3);
/// Eye events are rare, but the phone answers whoever asks.
const QUIET_EVENTS: Duration = Duration::from_secs(13);
/// A session is kept alive at this share of its time-out, and at least so often: that is also how a connection of a
/// sensor that has nothing to say is known to stand.
const KEEP_ALIVE: (f64, f64) = (0.5, 5.0);
/// Pairs of ports that are tried.
const PAIRS: usize = 32;
/// Room for what comes while this thread is not scheduled.
const RECEIVE_BUFFER_BYTES: usize = 1 << 20;
/// The largest datagram.
const BUFFER_BYTES: usize = 65_536;
/// Packets that are kept before it was told to send: those that overtake its answer.
const EARLY: usize = 4096;

/// One connection.
#[derive(Debug)]
pub struct Link {
    stream: TcpStream,
    demux: Demux,
    dialogue: Dialogue,
    /// Receivers of RTP and RTCP.
    udp: Option<(UdpReceiver, UdpReceiver)>,
    /// What becomes of packets.
    pub pipeline: Pipeline,
    /// Datagrams that were no packets of this sensor.
    pub ignored: u64,
    heard: Instant,
    /// It may have nothing to say for long.
    is_rare: bool,
    phone: IpAddr,
    next_sign: Instant,
    buffer: Vec<u8>,
}

impl Link {
    /// Connect to what is at `url`, and have it sent; `None`: it was told to stop.
    ///
    /// # Errors
    /// It cannot be reached, does not answer or refuses, in words.
    pub fn open(
        sensor: Sensor,
        url: &str,
        transport: Transport,
        stop: &Stop,
    ) -> Result<Option<Self>, String> {
        let at = address(url)?;
        let text = |error: std::io::Error| format!("{at}: {error}");
        let mut stream = TcpStream::connect_timeout(&at, CONNECT).map_err(text)?;
        stream.set_nodelay(true).and(stream.set_read_timeout(Some(LOOK))).map_err(text)?;
        stream.set_write_timeout(Some(ANSWER)).map_err(text)?;
        let udp = match transport {
            Transport::Udp => Some(ports(stream.local_addr().map_err(text)?.ip()).map_err(text)?),
            Transport::Tcp => None,
        };
        let port = |receiver: &UdpReceiver| receiver.socket().local_addr().map(|at| at.port());
        let carrier = match &udp {
            Some((rtp, rtcp)) => Carrier::Udp(port(rtp).map_err(text)?, port(rtcp).map_err(text)?),
            None => Carrier::Tcp,
        };
        let mut dialogue = Dialogue::new(url, carrier).map_err(|refused| refused.0)?;
        let (mut demux, mut early, mut buffer) = (Demux::default(), Vec::new(), vec![0; BUFFER_BYTES]);
        stream.write_all(&dialogue.request()).map_err(text)?;
        let mut asked = Instant::now();
        while !dialogue.is_playing() {
            if stop.is_set() {
                return Ok(None);
            }
            if asked.elapsed() > ANSWER {
                return Err(format!("{at}: it does not answer"));
            }
            let count = read(&mut stream, &mut buffer).map_err(text)?;
            demux.push(buffer.get(..count).unwrap_or_default());
            while let Some(item) = demux.next() {
                match item {
                    Item::Answer(answer) => {
                        if dialogue.answer(&answer).map_err(|refused| format!("{at}: {}", refused.0))? {
                            stream.write_all(&dialogue.request()).map_err(text)?;
                            asked = Instant::now();
                        }
                    }
                    Item::Packet(channel, bytes) if early.len() < EARLY => early.push((channel, bytes)),
                    // Its number will be missing.
                    Item::Packet(..) => {}
                }
            }
        }
        let medium = dialogue.medium.clone().ok_or_else(|| format!("{at}: it does not say what it sends"))?;
        if sensor.is_camera() && !medium.is_picture() {
            return Err(format!("{at}: it sends {}, and not H264", medium.encoding));
        }
        if udp.is_some() {
            // From now on datagrams are waited for.
            stream.set_nonblocking(true).map_err(text)?;
        }
        let mut link = Self {
            pipeline: Pipeline::new(sensor, &medium),
            next_sign: Instant::now() + sign_pause(&dialogue),
            stream,
            demux,
            dialogue,
            udp,
            ignored: 0,
            heard: Instant::now(),
            is_rare: sensor == Sensor::EyeEvents,
            phone: at.ip(),
            buffer,
        };
        link.knock();
        let mut out = Vec::new();
        early.into_iter().for_each(|(channel, bytes)| link.packet(channel, &bytes, monotonic_ns(), &mut out));
        Ok(Some(link))
    }

    /// Wait for a moment, and take what comes.
    ///
    /// # Errors
    /// The connection is lost, in words.
    pub fn step(&mut self, out: &mut Vec<Output>) -> Result<(), String> {
        if self.udp.is_some() {
            self.datagrams(out).map_err(|error| error.to_string())?;
        }
        self.connection(out)?;
        self.pipeline.wait(monotonic_ns(), out);
        let quiet = if self.is_rare { QUIET_EVENTS } else { QUIET };
        if self.heard.elapsed() > quiet {
            return Err(format!("nothing came for {} s", quiet.as_secs()));
        }
        if Instant::now() >= self.next_sign {
            self.next_sign = Instant::now() + sign_pause(&self.dialogue);
            let request = self.dialogue.request();
            self.stream.write_all(&request).map_err(|error| format!("the connection is lost: {error}"))?;
            // A firewall may have forgotten.
            self.knock();
        }
        Ok(())
    }

    /// Take what is there, and end the session.
    pub fn end(&mut self, out: &mut Vec<Output>) {
        if self.udp.is_some() {
            // The reason is known already.
            let _ = self.datagrams(out);
        }
        self.pipeline.end(out);
        let _ = self.stream.write_all(&self.dialogue.teardown());
    }

    /// Answers that stood within packets, and bytes that were nothing.
    pub fn disturbances(&self) -> (u64, u64) {
        (self.demux.injected, self.demux.junk_bytes)
    }

    /// Datagrams that the system threw away.
    pub fn kernel_drops(&self) -> u64 {
        self.udp.as_ref().map_or(0, |(rtp, _)| rtp.kernel_drops())
    }

    fn datagrams(&mut self, out: &mut Vec<Output>) -> std::io::Result<()> {
        let Some((mut rtp, mut rtcp)) = self.udp.take() else { return Ok(()) };
        let mut buffer = std::mem::take(&mut self.buffer);
        let received = self.receive(&mut rtp, &mut rtcp, &mut buffer, out);
        (self.udp, self.buffer) = (Some((rtp, rtcp)), buffer);
        received
    }

    fn receive(
        &mut self,
        rtp: &mut UdpReceiver,
        rtcp: &mut UdpReceiver,
        buffer: &mut [u8],
        out: &mut Vec<Output>,
    ) -> std::io::Result<()> {
        let mut wait = if self.pipeline.is_holding() { LOOK_HOLDING } else { LOOK };
        while let Some(datagram) = rtp.receive(buffer, wait)? {
            self.datagram(0, buffer, &datagram, out);
            wait = Duration::ZERO;
        }
        while let Some(datagram) = rtcp.receive(buffer, Duration::ZERO)? {
            self.datagram(1, buffer, &datagram, out);
        }
        Ok(())
    }

    fn datagram(&mut self, channel: u8, buffer: &[u8], datagram: &Datagram, out: &mut Vec<Output>) {
        // From somebody else it is nothing, whatever it looks like.
        if datagram.from.ip().to_canonical() == self.phone.to_canonical() {
            self.packet(channel, buffer.get(..datagram.len).unwrap_or_default(), datagram.arrival_ns, out);
        } else {
            self.ignored += 1;
        }
    }

    fn connection(&mut self, out: &mut Vec<Output>) -> Result<(), String> {
        let mut buffer = std::mem::take(&mut self.buffer);
        let count = read(&mut self.stream, &mut buffer);
        let now_ns = monotonic_ns();
        if let Ok(count) = count {
            self.demux.push(buffer.get(..count).unwrap_or_default());
        }
        self.buffer = buffer;
        while let Some(item) = self.demux.next() {
            match item {
                Item::Packet(channel, bytes) => self.packet(channel, &bytes, now_ns, out),
                // While it plays, no answer ends anything; that there is one, says that somebody is there.
                Item::Answer(answer) => {
                    drop(self.dialogue.answer(&answer));
                    if self.is_rare {
                        self.heard = Instant::now();
                    }
                }
            }
        }
        count.map(drop).map_err(|error| match error.kind() {
            ErrorKind::UnexpectedEof => "the phone ended the connection".to_owned(),
            _ => format!("the connection is lost: {error}"),
        })
    }

    fn packet(&mut self, channel: u8, bytes: &[u8], arrival_ns: i64, out: &mut Vec<Output>) {
        if channel == 1 {
            self.pipeline.rtcp(bytes, out);
        } else if self.pipeline.rtp(bytes, arrival_ns, out) {
            self.heard = Instant::now();
        } else {
            self.ignored += 1;
        }
    }

    /// Datagrams from here to where those come from open the firewalls between.
    fn knock(&self) {
        if let (Some((rtp, rtcp)), Some((to_rtp, to_rtcp))) = (&self.udp, self.dialogue.server_ports) {
            for (from, port) in [(rtp, to_rtp), (rtcp, to_rtcp)] {
                // What does not get out opens nothing, and nothing more.
                let _ = from.socket().send_to(&[0; 8], (self.phone, port));
            }
        }
    }
}

fn sign_pause(dialogue: &Dialogue) -> Duration {
    let (share, most_s) = KEEP_ALIVE;
    Duration::from_secs_f64((share * f64::from(dialogue.timeout_s)).min(most_s))
}

fn address(url: &str) -> Result<SocketAddr, String> {
    let parsed = rtsp_types::Url::parse(url).map_err(|error| format!("{url} is no address: {error}"))?;
    let host = parsed.host_str().ok_or_else(|| format!("{url} names no host"))?.trim_matches(['[', ']']);
    let mut all =
        (host, parsed.port().unwrap_or(554)).to_socket_addrs().map_err(|e| format!("{host}: {e}"))?;
    all.next().ok_or_else(|| format!("{host} has no address"))
}

/// Bytes that came; 0: none yet. The end of the connection is an error.
fn read(stream: &mut TcpStream, buffer: &mut [u8]) -> std::io::Result<usize> {
    match stream.read(buffer) {
        Ok(0) => Err(ErrorKind::UnexpectedEof.into()),
        Ok(count) => Ok(count),
        Err(error) => match error.kind() {
            ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted => Ok(0),
            _ => Err(error),
        },
    }
}

/// Two ports that follow one another, the first even, as RTP has it.
fn ports(local: IpAddr) -> std::io::Result<(UdpReceiver, UdpReceiver)> {
    let open = |port| {
        let at = SocketAddr::new(local, port);
        UdpReceiver::open(&UdpOptions {
            receive_buffer_bytes: Some(RECEIVE_BUFFER_BYTES),
            ..UdpOptions::bind(at)
        })
    };
    let mut failed = std::io::Error::from(ErrorKind::AddrInUse);
    for _ in 0..PAIRS {
        let first = open(0)?;
        let port = first.socket().local_addr()?.port();
        // The other one of the pair, before or after it.
        match open(port ^ 1) {
            Ok(second) if port & 1 == 0 => return Ok((first, second)),
            Ok(second) => return Ok((second, first)),
            Err(error) => failed = error,
        }
    }
    Err(failed)
}
