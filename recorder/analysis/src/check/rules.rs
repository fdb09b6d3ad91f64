//! What can be found, what it means, and what to do about it.

use super::Severity::{self, Error, Note, Warning};

/// One kind of finding.
#[derive(Debug, PartialEq, Eq)]
pub struct Rule {
    /// A short name that stays the same between versions.
    pub code: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// What it means for whoever uses the data.
    pub meaning: &'static str,
    /// What to do.
    pub mend: &'static str,
}

macro_rules! rules {
    ($($name:ident = $code:literal, $severity:ident, $meaning:literal, $mend:literal;)*) => {
        $(pub(super) const $name: Rule =
            Rule { code: $code, severity: $severity, meaning: $meaning, mend: $mend };)*
        /// All of them.
        pub const ALL: &[Rule] = &[$($name),*];
    };
}

rules! {
    DAMAGE = "damage", Error,
        "bytes of the file are not what was written, or were never written; the samples in them are lost, all others can be read",
        "compare with a backup copy; if there is none, `lockstep recover FILE` writes what can be read into a whole file";
    CUT = "cut", Error,
        "the file ends in the middle: the recorder or the copy did not finish",
        "copy it again from where it was recorded, or close it with `lockstep recover FILE`: complete samples before the cut are kept";
    UNPACK = "unpack", Error,
        "the packed file is damaged: what comes after that place is lost",
        "copy it again, or use an unpacked copy; `lockstep recover FILE` keeps what comes before that place";
    REPAIRED = "repaired", Warning,
        "a field of a chunk is wrong, but what it holds could be read",
        "nothing here; other readers may stumble: `lockstep recover FILE` writes a file that they read";
    STRANGE = "strange", Note,
        "something this version of the format does not define was passed over",
        "nothing, unless you know what program wrote it";
    REPEATED_HEADER = "repeated-header", Warning,
        "a stream id has two headers: other readers mix the two streams, or refuse the file",
        "choose streams by name, or give them ids of their own with `lockstep recover FILE`; recordings that were joined by hand look like this";
    NO_FILE_HEADER = "no-file-header", Warning,
        "the chunk that begins every file is missing or cannot be read",
        "nothing here; other readers may refuse the file: `lockstep recover FILE` makes a header";
    NO_STREAMS = "no-streams", Error,
        "there is nothing in the file",
        "look for another copy";
    NO_FOOTER = "no-footer", Warning,
        "the stream was not closed: the recorder was killed, or its last words are lost; the last moments may be missing",
        "compare the duration with your notes; `lockstep recover FILE` makes a footer for readers that want one";
    FOOTER_COUNT = "footer-count", Error,
        "the recorder wrote another number of samples than can be read",
        "see the findings about damage; without any, the recorder's own count was wrong";
    FOOTER_STAMP = "footer-stamp", Warning,
        "the first or last stamp is not the one that the recorder noted",
        "samples at that end of the stream are missing or were changed: compare with a backup copy";
    FOOTER_LATE = "footer-late", Note,
        "the footer's last stamp is one interval late, a known mistake of LabRecorder's",
        "nothing: the samples are right";
    FOOTER_OFFSETS = "footer-offsets", Warning,
        "the clock offsets that the recorder noted in the footer are not those in the file",
        "offsets were lost or changed: synchronization has less to go by";
    STAMPS_BACK = "stamps-back", Warning,
        "time goes back in this stream: its clock was set, or samples came out of order",
        "see `lockstep clock`; tools that search by time want --strictly-increasing at export";
    STAMPS_NOT_FINITE = "stamps-not-finite", Error,
        "these samples have no time",
        "the program that sent them stamped them wrongly; leave them out";
    NO_SAMPLES = "no-samples", Warning,
        "the stream was announced and never sent anything",
        "if it should have, see whether the device was on and sent to this recorder";
    NO_SAMPLES_IRREGULAR = "no-samples", Note,
        "nothing happened in this stream of events",
        "if something should have, see whether the program sent its markers to this recorder";
    MISSING_SOURCE = "missing-source", Error,
        "the configuration requires this source, and nothing of it is in the file",
        "see its events with `lockstep info`: the device was off, or not reached";
    MISSING_OPTIONAL = "missing-source", Note,
        "the configuration has this source, and nothing of it is in the file",
        "nothing, if it was not needed";
    SAME_NAME = "same-name", Note,
        "choosing by this name chooses both",
        "choose by id: --stream id=N";
    LOST = "lost", Error,
        "the recorder counted samples that were sent and are not in the file",
        "see the events with `lockstep info` for when and why; gaps in the stamps show where";
    LOST_UNKNOWN = "lost-unknown", Error,
        "the recorder noticed gaps and could not tell how many samples are missing",
        "see the events with `lockstep info`; gaps in the stamps show where";
    WRITE_ERROR = "write-error", Error,
        "the recorder could not write all it had: a full or failing disk",
        "see the events with `lockstep info`; what was written before can be read";
    SIDE_FILE = "side-file", Warning,
        "a file beside the recording, such as video, is not as the recorder left it: the samples that point into it point at nothing",
        "copy it from where it was recorded, and keep it beside the recording, under its name";
    SIDE_FILE_LOST = "side-file-lost", Error,
        "not all that was to be in a file beside the recording is in it: a full, failing or slow disk",
        "see the events with `lockstep info`; samples that point beyond the end of the file have lost what they point at";
    OFFSET_GARBAGE = "offset-garbage", Error,
        "these clock offsets were never measured: LabRecorder writes arbitrary numbers when a measurement times out",
        "`smooth` and `robust` withstand a few; `lockstep recover FILE` writes a file without them";
    OFFSET_REPEATED = "offset-repeated", Warning,
        "the same offset was written again as if it were new: no measurement succeeded in between",
        "count them as no measurement: the device was not reached, and its drift is unknown for that long";
    OFFSET_REPEATED_FEW = "offset-repeated", Note,
        "the same offset was written again as if it were new",
        "nothing, if there are others";
    OFFSET_BACK = "offset-back", Warning,
        "the clock was at an earlier time at a later measurement: it was restarted or set, or the entry is garbage",
        "see `lockstep clock`: resets are found and listed there";
    OFFSET_UNFOUNDED = "offset-unfounded", Error,
        "these clock offsets agree with no exchange in the file: one of the two was changed",
        "use methods that take the exchanges: smooth, mean, interpolate";
    NO_OFFSETS = "no-offsets", Warning,
        "the stream has a clock of its own that was never measured: its times cannot be compared with others",
        "record again with a device that answers, or align by events that both streams show: `lockstep lag`";
    STALE = "stale-stamps", Note,
        "LabRecorder stamps offsets when it reads them, up to seconds after they were measured: an error of tens of microseconds for usual clocks",
        "nothing: `smooth` allows for it";
    EXCHANGE_IMPOSSIBLE = "exchange-impossible", Warning,
        "these exchanges cannot have happened as they are stamped; they are left out",
        "a few are harmless; many: the device stamps wrongly, or its clock was set meanwhile";
    CLOCK_EVENT = "clock-event", Note,
        "the device's clock was set, restarted or slewed during the recording",
        "it is allowed for; see `lockstep clock --plot` for when and by how much";
    CHECKSUM = "checksum", Error,
        "the recorder noted a checksum of these bytes, and they have another now: a disk or a copy changed them",
        "compare with a backup copy; samples in these bytes may be wrong even where they can be read";
    CHECKSUMS = "checksums", Note,
        "the recorder notes checksums of what it wrote; the last bytes of a file have none",
        "nothing";
    CHECKSUMS_OF_OTHER = "checksums", Note,
        "the file was written anew by `lockstep recover`",
        "check the original to see which of its bytes were changed";
    BEING_RECORDED = "being-recorded", Note,
        "a recorder writes this file at this moment",
        "check it again when the recording has ended: what is missing at its end may still come";
    CONTINUED = "continued", Note,
        "the disk failed or was full: this is not all of the recording",
        "see the other file, too; each can be read alone";
    RECOVERED = "recovered", Note,
        "the file was written by `lockstep recover` from another, and all that was in that is in this",
        "nothing";
    RECOVERED_LOSS = "recovered", Error,
        "the file was written by `lockstep recover` from a damaged one, not all of which could be kept",
        "see the file's header for what was skipped; keep the original";
}
