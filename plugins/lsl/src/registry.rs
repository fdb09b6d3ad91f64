//! Which streams there are, which of them are recorded, and which outlet continues which: no sockets.

use std::collections::HashSet;

use crate::discovery::Wave;
use crate::found::Found;
use crate::options::Selection;

/// An outlet that is not seen in so many waves in a row is gone.
const MISSED_WAVES: u32 = 3;
/// One that is connected, and that another outlet seems to continue, is gone after so many.
const DOUBTFUL_WAVES: u32 = 2;
/// Streams recorded at the most; the recorder itself allows as many of one source.
pub const MAX_STREAMS: usize = 512;
/// Streams named in a message at the most.
const NAMED: usize = 8;

/// A stream that is recorded, or will be.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Its newest outlet.
    pub outlet: Found,
    /// What the operator sees, unique.
    pub label: String,
    /// Whether its feed is open.
    pub connected: bool,
    /// Waves in a row in which its outlet was not seen.
    pub missed: u32,
    /// Selections it fulfils.
    pub selections: Vec<usize>,
}

impl Entry {
    /// Whether the network does not show its outlet any more.
    pub fn is_out_of_sight(&self) -> bool {
        self.missed >= MISSED_WAVES
    }
}

/// What a wave means for one stream.
#[derive(Debug, Clone, PartialEq)]
pub enum News {
    /// The entry of this number is new.
    New(usize),
    /// The outlet of this entry is another one now; the one before had this uid.
    Continued(usize, String),
    /// The outlet of this entry is still there.
    Seen(usize),
}

/// All streams.
#[derive(Debug)]
pub struct Registry {
    selections: Vec<Selection>,
    /// In the order in which they were found.
    pub entries: Vec<Entry>,
    /// Every label ever given: the recorder keeps them.
    labels: HashSet<String>,
    /// What else is on the network.
    others: Vec<String>,
    refused: bool,
    asked: bool,
}

impl Registry {
    /// Nothing is known yet.
    pub fn new(selections: Vec<Selection>) -> Self {
        Self {
            selections,
            entries: Vec::new(),
            labels: HashSet::new(),
            others: Vec::new(),
            refused: false,
            asked: false,
        }
    }

    /// Take in what the network shows.
    pub fn take(&mut self, wave: &Wave) -> Vec<News> {
        self.asked = true;
        self.others.clear();
        let mut news = Vec::new();
        for entry in &mut self.entries {
            let seen = wave.streams.iter().any(|(found, _)| found.uid == entry.outlet.uid);
            entry.missed = if seen { 0 } else { entry.missed.saturating_add(1) };
        }
        for (found, told) in &wave.streams {
            if let Some(number) = self.entries.iter().position(|e| e.outlet.uid == found.uid) {
                // It may have another address now; the rest cannot change.
                if let Some(entry) = self.entries.get_mut(number) {
                    entry.outlet.stay_or_move(found);
                }
                news.push(News::Seen(number));
                continue;
            }
            let fits = |(number, selection): (usize, &Selection)| {
                selection.fits(found, told.contains(&number)).then_some(number)
            };
            let selections: Vec<usize> = self.selections.iter().enumerate().filter_map(fits).collect();
            if selections.is_empty() {
                self.others.push(found.to_string());
                continue;
            }
            // A connection may seem to stand when its outlet is gone: another wave will tell.
            let continued = self.entries.iter().position(|e| e.missed > 0 && found.continues(&e.outlet));
            let doubtful = |e: &Entry| e.connected && e.missed < DOUBTFUL_WAVES;
            if continued.and_then(|n| self.entries.get(n)).is_some_and(doubtful) {
                continue;
            }
            match continued {
                Some(number) => {
                    if let Some(entry) = self.entries.get_mut(number) {
                        let before = std::mem::replace(&mut entry.outlet, found.clone());
                        (entry.missed, entry.connected, entry.selections) = (0, false, selections);
                        news.push(News::Continued(number, before.uid));
                    }
                }
                None if self.entries.len() < MAX_STREAMS => {
                    let label = self.new_label(found);
                    let outlet = found.clone();
                    self.entries.push(Entry { outlet, label, connected: false, missed: 0, selections });
                    news.push(News::New(self.entries.len() - 1));
                }
                None => self.refused = true,
            }
        }
        news
    }

    /// A name nobody has had yet: the stream's own, where it can be.
    pub fn new_label(&mut self, found: &Found) -> String {
        let own = if found.name.is_empty() { "unnamed" } else { &found.name };
        let with_host = format!("{own} ({})", found.hostname);
        let numbered = (2..).map(|n| format!("{with_host} #{n}"));
        let candidates = [own.to_owned(), with_host.clone()].into_iter().chain(numbered);
        let mut free = candidates.filter(|label| !self.labels.contains(label));
        let label = free.next().unwrap_or_default();
        self.labels.insert(label.clone());
        label
    }

    /// The required selections for which `recorded` says no stream is recorded.
    pub fn missing(&self, recorded: impl Fn(usize) -> bool) -> Vec<&Selection> {
        let has = |selection: usize| {
            self.entries.iter().enumerate().any(|(n, e)| e.selections.contains(&selection) && recorded(n))
        };
        self.selections.iter().enumerate().filter(|(n, s)| s.required && !has(*n)).map(|(_, s)| s).collect()
    }

    /// Whether the network does not show an outlet that seems to be connected.
    pub fn has_doubts(&self) -> bool {
        self.entries.iter().any(|e| e.connected && e.missed > 0)
    }

    /// Whether a required selection has chosen `entry`.
    pub fn is_required(&self, entry: &Entry) -> bool {
        entry.selections.iter().any(|&number| self.selections.get(number).is_some_and(|s| s.required))
    }

    /// What is on the network, in words.
    pub fn on_the_network(&self) -> String {
        if !self.asked {
            return "asking the network".to_owned();
        }
        let chosen = self.entries.iter().filter(|e| !e.is_out_of_sight()).map(|e| e.outlet.to_string());
        let mut all: Vec<String> = chosen.chain(self.others.iter().cloned()).collect();
        let hidden = all.len().saturating_sub(NAMED);
        all.sort();
        all.truncate(NAMED);
        match (all.is_empty(), hidden) {
            (true, _) => "no LSL stream is on the network".to_owned(),
            (false, 0) => format!("on the network: {}", all.join(", ")),
            (false, hidden) => format!("on the network: {} and {hidden} more", all.join(", ")),
        }
    }

    /// Whether there were more streams than can be recorded.
    pub fn is_full(&self) -> bool {
        self.refused
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::found::sample;

    fn wave(streams: &[Found]) -> Wave {
        Wave { streams: streams.iter().map(|f| (f.clone(), Vec::new())).collect() }
    }

    fn registry(selections: &[Selection]) -> Registry {
        Registry::new(selections.to_vec())
    }

    fn of_type(kind: &str) -> Selection {
        Selection { kind: kind.to_owned(), required: true, ..Selection::default() }
    }

    #[test]
    fn each_stream_is_new_once_whatever_selects_it() {
        let mut registry = registry(&[of_type("EEG"), Selection { name: "cap".into(), ..of_type("") }]);
        let cap = sample("cap", "EEG");
        assert_eq!(registry.take(&wave(&[cap.clone(), sample("m", "Markers")])), [News::New(0)]);
        assert_eq!(registry.take(&wave(&[cap])), [News::Seen(0)]);
        assert_eq!(registry.entries[0].selections, [0, 1]);
    }

    #[test]
    fn an_outlet_that_returns_continues_its_stream_when_the_old_one_is_gone() {
        let mut registry = registry(&[of_type("EEG")]);
        let (cap, again) = (sample("cap", "EEG"), Found { uid: "2".into(), ..sample("cap", "EEG") });
        registry.take(&wave(std::slice::from_ref(&cap)));
        registry.entries[0].connected = true;
        assert_eq!(
            registry.take(&wave(&[cap.clone(), again.clone()])),
            [News::Seen(0), News::New(1)],
            "two alive"
        );
        let mut registry = super::Registry::new(vec![of_type("EEG")]);
        registry.take(&wave(&[cap]));
        let continued = News::Continued(0, "uid-cap".to_owned());
        assert_eq!(registry.take(&wave(std::slice::from_ref(&again))), [continued]);
        registry.entries[0].connected = true;
        let third = wave(&[Found { uid: "3".into(), ..again }]);
        assert_eq!(registry.take(&third), [], "its connection seems to stand");
        assert!(registry.has_doubts());
        assert_eq!(registry.take(&third), [News::Continued(0, "2".to_owned())], "a dead connection");
        assert!(!registry.has_doubts());
    }

    #[test]
    fn without_a_source_id_or_with_other_channels_it_is_another_stream() {
        let mut registry = registry(&[of_type("EEG")]);
        let nameless =
            |uid: &str| Found { uid: uid.into(), source_id: String::new(), ..sample("cap", "EEG") };
        registry.take(&wave(&[nameless("1")]));
        assert_eq!(registry.take(&wave(&[nameless("2")])), [News::New(1)]);
        assert_eq!(registry.entries[1].label, "cap (lab-pc)");
        let more = Found { uid: "3".into(), channel_count: 9, ..sample("cap", "EEG") };
        assert_eq!(registry.take(&wave(&[more])), [News::New(2)]);
        assert_eq!(registry.entries[2].label, "cap (lab-pc) #2");
    }

    #[test]
    fn what_is_missing_and_what_is_there_is_told() {
        let mut registry =
            registry(&[of_type("EEG"), of_type("Gaze"), Selection { required: false, ..of_type("x") }]);
        assert_eq!(registry.on_the_network(), "asking the network");
        registry.take(&wave(&[]));
        assert_eq!(registry.on_the_network(), "no LSL stream is on the network");
        registry.take(&wave(&[sample("cap", "EEG"), sample("m", "Markers")]));
        assert_eq!(registry.on_the_network(), "on the network: cap (lab-pc), m (lab-pc)");
        let missing: Vec<String> = registry.missing(|n| n == 0).iter().map(ToString::to_string).collect();
        assert_eq!(missing, ["type='Gaze'"]);
        let many: Vec<Found> = (0..20).map(|n| sample(&format!("s{n:02}"), "x")).collect();
        registry.take(&wave(&many));
        let text = registry.on_the_network();
        assert!(text.ends_with("s05 (lab-pc), s06 (lab-pc) and 13 more"), "{text}");
    }
}
