//! One stream of the recording: received bytes become chunks, breaks become gaps.

use lockstep_plugin_api::{Error, Format, Host, LogLevel, RawStream, State};
use serde_json::json;

use crate::decode::{Batch, Decoder, Unreadable};
use crate::found::Found;

/// One stream of the recording.
#[derive(Debug)]
pub struct Recorded {
    stream: RawStream,
    label: String,
    /// Number of its clock.
    pub clock: usize,
    decoder: Option<Decoder>,
    batch: Batch,
    /// Since when it is lost, in seconds of recorder time, and why.
    lost: Option<(f64, String)>,
    /// The outlet its samples come from.
    uid: String,
    no_text: bool,
    /// Whether a sample ever came.
    pub has_samples: bool,
    /// When samples last came, in seconds of recorder time.
    received_s: f64,
}

impl Recorded {
    /// A stream the recorder knows, and that has had no feed yet.
    pub fn new(stream: RawStream, label: &str, clock: usize, uid: &str) -> Self {
        Self {
            stream,
            label: label.to_owned(),
            clock,
            decoder: None,
            batch: Batch::default(),
            lost: None,
            uid: uid.to_owned(),
            no_text: false,
            has_samples: false,
            received_s: f64::NEG_INFINITY,
        }
    }

    /// A feed of `outlet` is open. After a break, the gap is recorded.
    ///
    /// # Errors
    /// Those of the recorder.
    pub fn open(&mut self, outlet: &Found, swapped: bool, now_s: f64) -> Result<(), Error> {
        let decoder = Decoder::new(outlet.format, outlet.channel_count, outlet.nominal_rate_hz, swapped);
        self.decoder = Some(decoder);
        self.batch.clear();
        let before = std::mem::replace(&mut self.uid, outlet.uid.clone());
        let Some((from_s, why)) = self.lost.take() else { return Ok(()) };
        let whose = if before == outlet.uid {
            format!("the same outlet, uid {before}")
        } else {
            format!("another outlet, uid {} after {before}", outlet.uid)
        };
        let reason = format!(
            "{why}; nothing was received from {from_s:.3} to {now_s:.3} s ({:.3} s); it is {whose}",
            now_s - from_s
        );
        self.stream.report_gap(None, &reason)?;
        self.stream.event(
            "lsl_gap",
            &json!({
                "from_s": from_s,
                "to_s": now_s,
                "uid_before": before,
                "uid_after": outlet.uid,
                "hostname": outlet.hostname,
            }),
        )?;
        self.stream.set_state(State::Streaming, "");
        Ok(())
    }

    /// The feed has ended at `now_s`.
    ///
    /// # Errors
    /// Those of the recorder.
    pub fn lose(&mut self, host: Host, why: &str, now_s: f64) -> Result<(), Error> {
        self.flush()?;
        if self.lost.is_none() {
            host.log(LogLevel::Warn, &format!("{}: {why}", self.label));
            self.stream.set_state(State::Lost, why);
            // A peer that went without a word was gone before that was noticed.
            let since_s = if self.has_samples { self.received_s } else { now_s };
            self.lost = Some((since_s, why.to_owned()));
        }
        self.decoder = None;
        Ok(())
    }

    /// Whether its feed has ended, and no other is open yet.
    pub fn is_lost(&self) -> bool {
        self.lost.is_some()
    }

    /// Nothing more will be recorded into this stream.
    pub fn finish(&mut self, why: &str) {
        self.stream.set_state(State::Finished, why);
    }

    /// Record the complete samples at the start of `bytes`; how many bytes they took.
    ///
    /// # Errors
    /// Outside: those of the recorder. Inside: what follows cannot be read.
    pub fn receive(&mut self, host: Host, bytes: &[u8]) -> Result<Result<usize, Unreadable>, Error> {
        let Some(decoder) = &mut self.decoder else {
            return Ok(Err(Unreadable("its feed was not opened".to_owned())));
        };
        let had_given_up = decoder.has_given_up();
        let decoded = decoder.decode(bytes, &mut self.batch);
        if decoder.has_given_up() && !had_given_up {
            let text = "its samples come without a time stamp; they are counted from 0, as liblsl does";
            host.log(LogLevel::Warn, &format!("{}: {text}", self.label));
        }
        if !decoder.is_holding() {
            self.push(host)?;
        }
        Ok(decoded)
    }

    /// Record what still waits for a stamp.
    fn flush(&mut self) -> Result<(), Error> {
        if let Some(decoder) = &mut self.decoder
            && decoder.is_holding()
        {
            decoder.give_up_waiting(&mut self.batch);
            self.push_batch(0, self.batch.stamps_s.len())?;
            self.batch.clear();
        }
        Ok(())
    }

    /// The recording ends.
    ///
    /// # Errors
    /// Those of the recorder.
    pub fn end(&mut self) -> Result<(), Error> {
        self.flush()
    }

    fn push(&mut self, host: Host) -> Result<(), Error> {
        let count = self.batch.stamps_s.len();
        if count == 0 {
            return Ok(());
        }
        self.has_samples = true;
        self.received_s = host.now_s();
        if self.stream.format() == Format::String && !self.no_text {
            self.no_text = self.batch.texts().any(|text| std::str::from_utf8(text).is_err());
            if self.no_text {
                let text = "it sends texts that are no UTF-8; they are recorded as they are, and readers may not agree \
                            on what they mean";
                host.log(LogLevel::Warn, &format!("{}: {text}", self.label));
            }
        }
        // The recorder refuses a chunk whole, so samples it will refuse go alone.
        if self.batch.stamps_s.iter().all(|s| s.is_finite()) {
            self.push_batch(0, count)?;
        } else {
            for sample in 0..count {
                match self.push_batch(sample, sample + 1) {
                    Ok(()) | Err(Error::Invalid(_)) => {}
                    Err(error) => return Err(error),
                }
            }
        }
        self.batch.clear();
        Ok(())
    }

    /// Samples that find no room are counted by the recorder.
    fn push_batch(&mut self, begin: usize, end: usize) -> Result<(), Error> {
        let stamps_s = self.batch.stamps_s.get(begin..end).unwrap_or_default();
        if self.stream.format() == Format::String {
            let channels = self.stream.channel_count();
            let texts: Vec<&[u8]> =
                self.batch.texts().skip(begin * channels).take((end - begin) * channels).collect();
            let _ = self.stream.push_text(stamps_s, &texts)?;
        } else {
            let row_bytes = self.stream.channel_count() * self.stream.format().value_bytes();
            let values = self.batch.values.get(begin * row_bytes..end * row_bytes).unwrap_or_default();
            let _ = self.stream.push_bytes(stamps_s, values)?;
        }
        Ok(())
    }
}
