//! RTSP (RFC 2326), as the phone speaks it: one connection for each sensor.
//!
//! After DESCRIBE the URLs of a client no longer say which sensor is meant, so each connection
//! remembers it. There is no GET_PARAMETER; OPTIONS keeps a session alive.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use serde_json::json;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use crate::host::now_s;
use crate::serve::identity;
use crate::serve::message::{Inbox, Input, Request};

use super::feed::encoder;
use super::layout::Sensor;
use super::player::{self, Outlet, Player};
use super::sdp;
use super::shared::Shared;

/// Frames that wait for a client that does not read. More are lost.
const FRAMES: usize = 1024;
/// What a client may ask for.
const METHODS: &str = "DESCRIBE,SETUP,TEARDOWN,PLAY,PAUSE";
/// Seconds after which a session without a request is over, as it is told; it never is.
const SESSION_TIMEOUT_S: u32 = 60;

/// What has been agreed over one connection.
#[derive(Debug)]
struct Connection {
    peer: IpAddr,
    local: SocketAddr,
    session: String,
    sensor: Option<Sensor>,
    /// Its number in the truth log, and where its packets go.
    client: Option<(u64, Outlet)>,
    playing: Option<Playing>,
    frames: mpsc::Sender<Vec<u8>>,
}

/// While this is there, the sensor sends.
#[derive(Debug)]
struct Playing {
    _alive: Arc<()>,
    _place: OwnedSemaphorePermit,
}

/// A reply, without the lines that all have.
#[derive(Debug, Default)]
struct Reply {
    code: u16,
    headers: Vec<(&'static str, String)>,
    body: String,
}

impl Reply {
    fn ok(headers: Vec<(&'static str, String)>) -> Self {
        Self { code: 200, headers, body: String::new() }
    }

    fn failure(code: u16) -> Self {
        Self { code, ..Self::default() }
    }

    /// All of it, to be written in one go: there are clients that fail when a line comes in two
    /// parts.
    fn bytes(&self, sequence: &str) -> Vec<u8> {
        let reason = match self.code {
            200 => "OK",
            400 => "Bad Request",
            404 => "Not Found",
            405 => "Method Not Allowed",
            453 => "Not Enough Bandwidth",
            455 => "Method Not Valid in This State",
            461 => "Unsupported Transport",
            _ => "Internal Server Error",
        };
        let mut text = format!(
            "RTSP/1.0 {} {reason}\r\nServer: Simulated Neon RTSP Server\r\nCseq: {sequence}\r\nContent-Length: {}\r\n",
            self.code,
            self.body.len()
        );
        for (name, value) in &self.headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        text.push_str("\r\n");
        text.push_str(&self.body);
        text.into_bytes()
    }
}

/// Answers one connection until it ends; whatever it played ends with it.
pub(super) async fn serve(stream: &mut TcpStream, shared: &Shared) {
    if let Err(error) = answer_all(stream, shared).await {
        tracing::debug!(%error, "RTSP connection");
    }
}

async fn answer_all(stream: &mut TcpStream, shared: &Shared) -> io::Result<()> {
    let (frames, mut to_send) = mpsc::channel(FRAMES);
    let mut connection = Connection {
        peer: stream.peer_addr()?.ip(),
        local: stream.local_addr()?,
        session: identity(shared.config.seed, "session", shared.next_connection())[..8].to_owned(),
        sensor: None,
        client: None,
        playing: None,
        frames,
    };
    let mut inbox = Inbox::default();
    loop {
        tokio::select! {
            input = inbox.next(stream) => match input {
                Ok(Some(Input::Request(request))) => {
                    let reply = connection.reply(shared, &request);
                    let sequence = request.header("cseq").unwrap_or("0");
                    stream.write_all(&reply.bytes(sequence)).await?;
                }
                Ok(Some(Input::Frame)) => {}
                Ok(None) => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                    return stream.write_all(&Reply::failure(400).bytes("0")).await;
                }
                Err(error) => return Err(error),
            },
            Some(frame) = to_send.recv() => stream.write_all(&frame).await?,
        }
    }
}

impl Connection {
    fn reply(&mut self, shared: &Shared, request: &Request) -> Reply {
        if let Some(name) = request.query_value("camera") {
            match Sensor::named(&name) {
                Some(sensor) => self.sensor = Some(sensor),
                None => return Reply::failure(404),
            }
        }
        match request.method.as_str() {
            "OPTIONS" => Reply::ok(vec![("Public", METHODS.to_owned())]),
            "DESCRIBE" => self.describe(shared),
            "SETUP" => self.set_up(shared, request),
            "PLAY" => self.play(shared),
            "PAUSE" | "TEARDOWN" => {
                if self.playing.take().is_some() {
                    self.log(shared, "stop");
                }
                Reply::ok(vec![("Session", self.session.clone())])
            }
            _ => Reply { headers: vec![("Allow", METHODS.to_owned())], ..Reply::failure(405) },
        }
    }

    /// The sensor of this connection, if it is there.
    fn plugged(&self, shared: &Shared) -> Result<Sensor, Reply> {
        let sensor = self.sensor.ok_or(Reply::failure(404))?;
        // Glasses that are not there are an error of the phone.
        if shared.is_plugged(sensor) { Ok(sensor) } else { Err(Reply::failure(500)) }
    }

    fn base(&self) -> String {
        format!("rtsp://{}/", self.local)
    }

    fn describe(&self, shared: &Shared) -> Reply {
        let sensor = match self.plugged(shared) {
            Ok(sensor) => sensor,
            Err(reply) => return reply,
        };
        let encoder = sensor.picture().map(|_| encoder(sensor, shared.config.rates.of(sensor)));
        let body = sdp::describe(sensor, self.local.ip(), encoder.as_ref());
        let headers = vec![("Content-Base", self.base()), ("Content-Type", "application/sdp".to_owned())];
        Reply { code: 200, headers, body }
    }

    fn set_up(&mut self, shared: &Shared, request: &Request) -> Reply {
        let sensor = match self.plugged(shared) {
            Ok(sensor) => sensor,
            Err(reply) => return reply,
        };
        let asked = request.header("transport").and_then(Transport::parse);
        let client = shared.next_client();
        let source = format!("{:08x}", player::source(&shared.config, sensor, client));
        let (outlet, answer) = match asked {
            None => return Reply::failure(461),
            Some(Transport::Udp { rtp, rtcp }) => {
                let server = shared.doors[sensor.index()].server_port;
                let outlet = Outlet::Udp {
                    rtp: SocketAddr::new(self.peer, rtp),
                    rtcp: SocketAddr::new(self.peer, rtcp),
                };
                let answer = format!(
                    "RTP/AVP/UDP;unicast;destination={};client_port={rtp}-{rtcp};server_port={server}-{};\
                     ssrc={source};mode=play",
                    self.peer,
                    server + 1
                );
                (outlet, answer)
            }
            Some(Transport::Interleaved { rtp, rtcp }) => {
                let outlet =
                    Outlet::Interleaved { frames: self.frames.clone(), rtp_channel: rtp, rtcp_channel: rtcp };
                let channels = format!(";interleaved={rtp}-{rtcp}");
                let channels = if shared.config.interleaved.hide_channels { "" } else { &channels };
                (outlet, format!("RTP/AVP/TCP;unicast{channels};ssrc={source};mode=play"))
            }
        };
        self.client = Some((client, outlet));
        let session = format!("{};timeout={SESSION_TIMEOUT_S}", self.session);
        Reply::ok(vec![("Transport", answer), ("Session", session)])
    }

    fn play(&mut self, shared: &Shared) -> Reply {
        let sensor = match self.plugged(shared) {
            Ok(sensor) => sensor,
            Err(reply) => return reply,
        };
        let Some((client, outlet)) = self.client.clone() else { return Reply::failure(455) };
        if self.playing.is_none() {
            self.playing = enter(shared, sensor, client, outlet);
            if self.playing.is_none() {
                return Reply::failure(453);
            }
            self.log(shared, "play");
        }
        Reply::ok(vec![("Session", self.session.clone()), ("RTP-Info", format!("url={}", self.base()))])
    }

    fn log(&self, shared: &Shared, kind: &str) {
        let transport = match &self.client {
            Some((_, Outlet::Interleaved { .. })) => "tcp",
            _ => "udp",
        };
        let details = json!({
            "client": self.client.as_ref().map(|(client, _)| client),
            "sensor": self.sensor.map(Sensor::name),
            "transport": transport,
            "peer": self.peer,
        });
        shared.log(kind, &details);
    }
}

/// Lets a client play, if there is a place for one more.
fn enter(shared: &Shared, sensor: Sensor, client: u64, outlet: Outlet) -> Option<Playing> {
    let door = &shared.doors[sensor.index()];
    let place = Arc::clone(&door.places).try_acquire_owned().ok()?;
    let alive = Arc::new(());
    let player = Player::new(&shared.config, sensor, client, outlet, Arc::downgrade(&alive), now_s());
    door.players.try_send(player).ok()?;
    Some(Playing { _alive: alive, _place: place })
}

/// How a client wants its packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Transport {
    Udp { rtp: u16, rtcp: u16 },
    Interleaved { rtp: u8, rtcp: u8 },
}

impl Transport {
    /// Reads the value of a Transport header, of which the first alternative counts.
    fn parse(value: &str) -> Option<Self> {
        let fields: Vec<&str> = value.split(',').next()?.split(';').map(str::trim).collect();
        let pair = |name: &str| -> Option<(u16, u16)> {
            let value = fields.iter().find_map(|field| field.strip_prefix(name)?.strip_prefix('='))?;
            let (low, high) = value.split_once('-').unwrap_or((value, ""));
            let low: u16 = low.parse().ok()?;
            let high = if high.is_empty() { low.checked_add(1)? } else { high.parse().ok()? };
            Some((low, high))
        };
        if fields.first()?.eq_ignore_ascii_case("RTP/AVP/TCP") {
            let (rtp, rtcp) = pair("interleaved").unwrap_or((0, 1));
            return Some(Self::Interleaved { rtp: rtp.try_into().ok()?, rtcp: rtcp.try_into().ok()? });
        }
        let (rtp, rtcp) = pair("client_port")?;
        Some(Self::Udp { rtp, rtcp })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transports_are_read_as_clients_write_them() {
        for (value, wanted) in [
            ("RTP/AVP;unicast;client_port=4000-4001", Some(Transport::Udp { rtp: 4000, rtcp: 4001 })),
            ("RTP/AVP/UDP;unicast;client_port=4000", Some(Transport::Udp { rtp: 4000, rtcp: 4001 })),
            ("RTP/AVP/TCP;unicast;interleaved=2-3", Some(Transport::Interleaved { rtp: 2, rtcp: 3 })),
            ("RTP/AVP/TCP;unicast", Some(Transport::Interleaved { rtp: 0, rtcp: 1 })),
            ("RTP/AVP/TCP;interleaved=300-301", None),
            ("RTP/AVP;multicast", None),
            ("", None),
        ] {
            assert_eq!(Transport::parse(value), wanted, "{value}");
        }
    }

    #[test]
    fn a_reply_is_one_text_with_its_length() {
        let reply = Reply { body: "v=0".to_owned(), ..Reply::ok(vec![("Session", "a".to_owned())]) };
        let text = String::from_utf8(reply.bytes("3")).expect("text");
        assert_eq!(
            text,
            "RTSP/1.0 200 OK\r\nServer: Simulated Neon RTSP Server\r\nCseq: 3\r\nContent-Length: 3\r\n\
             Session: a\r\n\r\nv=0"
        );
    }
}
