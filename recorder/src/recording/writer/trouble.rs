//! What the writer does when its file fails it: hold the newest data, try again, go on in another place, and say
//! exactly what was lost.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use lockstep_xdf::{Element, encode};
use serde_json::json;

use super::backlog::{Kind, Piece};
use super::{Body, output};
use crate::recording::files::{Trouble, is_no_room};
use crate::recording::notice::{Level, samples};

/// Between two tries to write.
const TRY_PERIOD: Duration = Duration::from_secs(1);
/// A file that fails for so long, though there is room, is left for another one beside it.
const PATIENCE: Duration = Duration::from_secs(3);
/// Between two tries to copy a deleted file back, each of which may take its time.
const RESTORE_PERIOD: Duration = Duration::from_secs(10);
/// Problems that are told one by one.
const MAX_PROBLEMS: usize = 20;

/// A time in which writing failed.
#[derive(Debug)]
pub(super) struct Episode {
    since: Instant,
    next_try: Instant,
    /// The file that failed.
    path: PathBuf,
    error: String,
    /// Samples that had found no file before.
    unwritten_before: u64,
}

impl Body {
    /// Keep a chunk until it can be written, and count what has to go for it.
    pub(super) fn hold(&mut self, kind: Kind, bytes: Vec<u8>) {
        let streams = &mut self.streams;
        self.backlog.push(Piece { kind, bytes }, &mut |index, tally| streams[index].add_unwritten(&tally));
    }

    fn unwritten(&self) -> u64 {
        self.streams.iter().map(|s| s.unwritten_total).sum()
    }

    pub(super) fn begin_episode(&mut self) {
        let error = self.output.error().map(ToString::to_string).unwrap_or_default();
        let path = self.files.current_path();
        let file = path.display().to_string();
        self.shared.events.write("write_error", "", "", json!({"text": error, "file": file}));
        let hold = self.files.settings().hold_bytes >> 20;
        let text = format!(
            "writing to {file} failed: {error}. The newest {hold} MiB are kept in memory until it can be written again"
        );
        self.shared.notices.send(Level::Error, "", text);
        let unwritten_before = self.unwritten();
        let now = Instant::now();
        self.episode = Some(Episode { since: now, next_try: now, path, error, unwritten_before });
    }

    /// Something to be said at the end; a disk that comes and goes must not fill a screen.
    fn problem(&mut self, text: String) {
        match self.problems.len() {
            0..MAX_PROBLEMS => self.problems.push(text),
            MAX_PROBLEMS => self.problems.push("and so on: all of it is in the events".to_owned()),
            _ => {}
        }
    }

    /// Try to write what is held, here or elsewhere, when it is time.
    pub(super) fn mend(&mut self) {
        let Some(episode) = &self.episode else { return };
        let (now, lasts) = (Instant::now(), episode.since.elapsed());
        if now >= episode.next_try {
            if self.write_backlog() {
                return self.mended();
            }
            let is = |what: fn(&io::Error) -> bool| self.output.error().is_some_and(what);
            // With room in it, the file itself may be what fails: as on a disk that was unplugged and is back. Where
            // a file may not grow any more, another one may.
            let another = !is(is_no_room) && lasts >= PATIENCE || is(|e| e.kind() == ErrorKind::FileTooLarge);
            let again = self.files.first_place(another);
            for folder in self.files.second_place().into_iter().chain(again) {
                if self.go_on_in(&folder) && self.write_backlog() {
                    return self.mended();
                }
            }
            if let Some(episode) = &mut self.episode {
                episode.next_try = Instant::now() + TRY_PERIOD;
            }
        }
        let Some(episode) = &self.episode else { return };
        self.files.set_trouble(Some(Trouble {
            error: format!("{}: {}", episode.path.display(), episode.error),
            held_bytes: self.backlog.bytes() as u64,
            lost_samples: self.unwritten() - episode.unwritten_before,
        }));
    }

    /// Whether all of it could be written.
    fn write_backlog(&mut self) -> bool {
        self.output.try_again();
        while let Some(piece) = self.backlog.pop() {
            self.output.chunks().extend_from_slice(&piece.bytes);
            if self.output.flush().is_err() {
                self.backlog.put_back(piece);
                return false;
            }
            self.count(piece.kind);
        }
        true
    }

    /// Everything that was held is in a file.
    fn mended(&mut self) {
        let Some(episode) = self.episode.take() else { return };
        self.files.set_trouble(None);
        let lost = self.unwritten() - episode.unwritten_before;
        let lasted_s = episode.since.elapsed().as_secs_f64();
        for stream in &mut self.streams {
            stream.report_unwritten(&self.shared);
        }
        let now = self.files.current_path();
        let (from, to) = (episode.path.display().to_string(), now.display().to_string());
        let details = json!({"file": to, "failed": from, "lasted_s": lasted_s, "lost_samples": lost});
        self.shared.events.write("write_resumed", "", "", details);
        let what = match lost {
            0 => "nothing was lost".to_owned(),
            lost => format!("{} lost", samples(lost)),
        };
        let place = if from == to { "goes on there".to_owned() } else { format!("goes on in {to}") };
        let text = format!("the recording {place}, after {lasted_s:.1} s; {what}");
        self.shared.notices.send(if lost > 0 { Level::Error } else { Level::Warning }, "", text.clone());
        self.problem(format!("writing to {from} failed ({}): {text}", episode.error));
    }

    /// Begin another file in `folder` and go on in it; the one before it gets its footers if there is room for them.
    fn go_on_in(&mut self, folder: &Path) -> bool {
        let failed = |body: &mut Self, error: String| {
            if let Some(episode) = &mut body.episode
                && !episode.error.contains(&error)
                && episode.error.len() < 500
            {
                episode.error = format!("{}; {error}", episode.error);
            }
            false
        };
        let (part, file) = match self.files.make_part(folder) {
            Ok(made) => made,
            Err(e) => return failed(self, e.to_string()),
        };
        let mut output = output(&self.files, file, Arc::clone(&part.progress));
        let before = self.files.current_path();
        let mut header = self.header.clone();
        let name = before.file_name().unwrap_or_default().to_string_lossy().into_owned();
        header.push_child(Element::new("continues").with_text(name));
        header.push_child(Element::new("part").with_text((self.files.parts().len() + 1).to_string()));
        output.reserve(self.reserve_bytes());
        encode::file_header(output.chunks(), &header.to_xml());
        for stream in &self.streams {
            let intake = &stream.intake;
            encode::stream_header(output.chunks(), intake.id, &intake.header_xml);
            let Some(clock) = &intake.spec.clock else { continue };
            self.measurements.clear();
            clock.offsets_from(0, &mut self.measurements);
            for m in self.measurements.iter().take(stream.offsets) {
                encode::clock_offset(output.chunks(), intake.id, m.device_time_s, m.offset_s);
            }
        }
        if output.flush().is_err() {
            let error = output.error().map(ToString::to_string).unwrap_or_default();
            drop(std::fs::remove_file(&part.path));
            return failed(self, format!("{}: {error}", part.path.display()));
        }
        self.write_footers(Some(&part.path));
        self.output.give_back_room();
        self.give_up_deleted_file(&before);
        self.output = output;
        self.backlog.forget_needed();
        for stream in &mut self.streams {
            stream.has_header = true;
            stream.in_file = super::Tally::default();
            stream.offsets_in_file = stream.offsets;
            stream.first_samples_end = None;
        }
        let (from, to) = (before.display().to_string(), part.path.display().to_string());
        self.files.join(part);
        self.shared.events.write("file_continued", "", "", json!({"file": to, "continues": from}));
        true
    }

    /// Go on in the second directory where that is asked for.
    pub(super) fn move_if_wanted(&mut self) {
        let Some(why) = self.files.take_wanted_move() else { return };
        let Some(folder) = self.files.second_place() else { return };
        if !self.go_on_in(&folder) {
            self.files.set_move_failed();
            let text = format!("cannot go on in {}: it cannot be written", folder.display());
            self.shared.notices.send(Level::Error, "", text);
            return;
        }
        if self.episode.is_some() && self.write_backlog() {
            self.mended();
        }
        let text = format!("{why}: the recording goes on in {}", self.files.current_path().display());
        self.shared.notices.send(Level::Warning, "", text.clone());
        self.problem(text);
    }

    /// Whoever deletes the file, or its folder, deletes the recording: give it its name back.
    pub(super) fn look_for_the_file(&mut self) {
        if self.episode.is_some() {
            return;
        }
        let Some(part) = self.files.current() else { return };
        let was = part.path.display().to_string();
        if !lockstep_platform::is_deleted(self.output.file()) {
            let gone = (!part.is_there()).then(|| {
                format!("{was} is not there any more: it was moved, or its disk was taken away. It is still written, wherever it is")
            });
            if let (Some(text), None) = (&gone, self.files.deleted()) {
                self.shared.events.write("write_error", "", "", json!({"text": text}));
            }
            return self.files.set_deleted(gone);
        }
        if Instant::now() < self.next_restore {
            return;
        }
        self.next_restore = Instant::now() + RESTORE_PERIOD;
        match self.files.give_name_back(self.output.file()) {
            Ok((part, file)) => {
                self.output.go_on_in(file, Arc::clone(&part.progress));
                self.files.set_deleted(None);
                let path = part.path.display().to_string();
                self.shared.events.write("file_restored", "", "", json!({"deleted": was, "file": path}));
                let text = format!("{was} was deleted while it was recorded; all of it is in {path} again");
                self.shared.notices.send(Level::Error, "", text.clone());
                self.problem(text);
            }
            Err(e) => {
                let text = format!("{was} was deleted while it is recorded, and cannot be written anew: {e}");
                if self.files.deleted().is_none() {
                    self.shared.events.write("write_error", "", "", json!({"text": text}));
                }
                self.files.set_deleted(Some(text));
            }
        }
    }

    /// At the end a file without a name would be gone.
    pub(super) fn keep_deleted_files(&mut self) {
        self.next_restore = Instant::now();
        self.look_for_the_file();
        let parts = self.files.parts();
        for part in parts.iter().filter(|part| !part.is_there()) {
            self.problem(format!(
                "{} is not there any more: it was moved or deleted, or its disk was taken away",
                part.path.display()
            ));
        }
        self.give_up_deleted_file(&self.files.current_path());
    }

    /// What is in a file that was deleted, and could not be copied back, is lost.
    fn give_up_deleted_file(&mut self, path: &Path) {
        if !lockstep_platform::is_deleted(self.output.file()) {
            return;
        }
        let error = self.files.deleted().map(|error| format!(" ({error})")).unwrap_or_default();
        self.problem(format!("{} was deleted, and all that was in it is lost{error}", path.display()));
        self.files.set_deleted(None);
        for stream in &mut self.streams {
            let gone = stream.in_file;
            stream.samples = stream.samples.saturating_sub(gone.count);
            stream.add_unwritten(&gone);
        }
    }

    /// The end has come while writing fails: try once more, then save what is small.
    pub(super) fn end_episode(&mut self) {
        let Some(episode) = &mut self.episode else { return };
        episode.next_try = Instant::now();
        self.mend();
        if self.episode.is_none() {
            // How that went is an event.
            self.take_all();
        }
        if self.episode.is_none() {
            return;
        }
        let streams = &mut self.streams;
        self.backlog.give_up_samples(&mut |index, tally| streams[index].add_unwritten(&tally));
        for stream in &mut self.streams {
            stream.report_unwritten(&self.shared);
        }
        self.take_all();
        // Events and clock offsets may use the room kept for the end.
        self.output.try_again();
        self.output.reserve(0);
        let all = self.write_backlog();
        let Some(episode) = self.episode.take() else { return };
        let lost = self.unwritten() - episode.unwritten_before;
        let events = if all { "" } else { ", nor could the events" };
        self.problems.push(format!(
            "writing to {} failed ({}) until the end: {} could not be written{events}",
            episode.path.display(),
            episode.error,
            samples(lost)
        ));
        self.files.set_trouble(None);
    }

    /// Bytes of the newest file that are on its disk.
    pub(super) fn synced_bytes(&self) -> u64 {
        self.files.current().map_or(0, |part| part.progress.synced_bytes.load(Relaxed))
    }
}
