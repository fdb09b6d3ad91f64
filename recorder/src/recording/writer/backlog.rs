//! What waits in memory while no file can be written: whole chunks, the newest that fit.

use std::collections::VecDeque;

use super::tally::Tally;

/// What a chunk is, and whom it is counted for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Kind {
    /// Boundaries.
    Structure,
    /// The header of a stream, by index: nothing can be read without it.
    Header(usize),
    /// A clock offset of a stream, by index.
    Offset(usize),
    /// Samples of a stream, by index.
    Samples(usize, Tally),
}

/// A whole chunk.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Piece {
    pub(super) kind: Kind,
    pub(super) bytes: Vec<u8>,
}

/// Chunks in the order in which they are to be written, which is theirs but for this: what is small and needed
/// comes first.
#[derive(Debug)]
pub(super) struct Backlog {
    needed: VecDeque<Piece>,
    /// Samples of the recorder's own events, which say what went wrong: they go last.
    events: VecDeque<Piece>,
    samples: VecDeque<Piece>,
    events_index: usize,
    bytes: usize,
    limit_bytes: usize,
}

impl Backlog {
    /// Nothing yet; the stream at `events_index` holds the events.
    pub(super) fn new(limit_bytes: usize, events_index: usize) -> Self {
        Self {
            needed: VecDeque::new(),
            events: VecDeque::new(),
            samples: VecDeque::new(),
            events_index,
            bytes: 0,
            limit_bytes,
        }
    }

    fn queue(&mut self, kind: Kind) -> &mut VecDeque<Piece> {
        match kind {
            Kind::Samples(index, _) if index == self.events_index => &mut self.events,
            Kind::Samples(..) => &mut self.samples,
            Kind::Structure | Kind::Header(_) | Kind::Offset(_) => &mut self.needed,
        }
    }

    /// Add a chunk; `gone` is told the samples that have to go for it, the oldest first.
    pub(super) fn push(&mut self, piece: Piece, gone: &mut impl FnMut(usize, Tally)) {
        self.bytes += piece.bytes.len();
        self.queue(piece.kind).push_back(piece);
        while self.bytes > self.limit_bytes
            && let Some(oldest) = self.samples.pop_front().or_else(|| self.events.pop_front())
        {
            self.bytes -= oldest.bytes.len();
            if let Kind::Samples(index, tally) = oldest.kind {
                gone(index, tally);
            }
        }
    }

    /// The chunk that is to be written next.
    pub(super) fn pop(&mut self) -> Option<Piece> {
        let piece = [&mut self.needed, &mut self.events, &mut self.samples]
            .into_iter()
            .find_map(VecDeque::pop_front)?;
        self.bytes -= piece.bytes.len();
        Some(piece)
    }

    /// It could not be written: it stays the next one.
    pub(super) fn put_back(&mut self, piece: Piece) {
        self.bytes += piece.bytes.len();
        self.queue(piece.kind).push_front(piece);
    }

    /// Headers and clock offsets are in the file that is written next already.
    pub(super) fn forget_needed(&mut self) {
        self.bytes -= self.needed.drain(..).map(|piece| piece.bytes.len()).sum::<usize>();
    }

    /// There is no hope for the samples; `gone` is told which.
    pub(super) fn give_up_samples(&mut self, gone: &mut impl FnMut(usize, Tally)) {
        for piece in self.samples.drain(..) {
            self.bytes -= piece.bytes.len();
            if let Kind::Samples(index, tally) = piece.kind {
                gone(index, tally);
            }
        }
    }

    /// Bytes that wait.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(index: usize, count: u64, bytes: usize) -> Piece {
        let tally = Tally { count, first_timestamp_s: Some(1.0), last_timestamp_s: Some(2.0) };
        Piece { kind: Kind::Samples(index, tally), bytes: vec![0; bytes] }
    }

    #[test]
    fn the_oldest_samples_go_first_events_last_and_what_is_needed_never() {
        let mut backlog = Backlog::new(100, 0);
        let mut gone = Vec::new();
        let mut push =
            |backlog: &mut Backlog, piece| backlog.push(piece, &mut |i, t: Tally| gone.push((i, t.count)));
        push(&mut backlog, samples(0, 1, 20));
        push(&mut backlog, samples(1, 2, 40));
        push(&mut backlog, Piece { kind: Kind::Structure, bytes: vec![0; 30] });
        push(&mut backlog, samples(2, 3, 30));
        push(&mut backlog, samples(1, 4, 60));
        assert_eq!(backlog.bytes(), 50, "the newest does not fit either");
        push(&mut backlog, Piece { kind: Kind::Offset(1), bytes: vec![0; 60] });
        assert_eq!(gone, [(1, 2), (2, 3), (1, 4), (0, 1)]);
        let first = backlog.pop().expect("it is needed");
        assert_eq!(first.kind, Kind::Structure);
        backlog.put_back(first.clone());
        assert_eq!(backlog.pop(), Some(first));
        backlog.forget_needed();
        assert_eq!((backlog.bytes(), backlog.pop()), (0, None));
    }

    #[test]
    fn chunks_come_out_in_the_order_they_came_in() {
        let mut backlog = Backlog::new(1000, 0);
        for (index, count) in [(1, 1), (2, 2), (1, 3)] {
            backlog.push(samples(index, count, 10), &mut |_, _| panic!("there is room"));
        }
        let order: Vec<_> = std::iter::from_fn(|| backlog.pop()).map(|p| p.kind).collect();
        assert_eq!(order, [samples(1, 1, 0).kind, samples(2, 2, 0).kind, samples(1, 3, 0).kind]);
        for count in 1..=2 {
            backlog.push(samples(1, count, 10), &mut |_, _| {});
        }
        let mut gone = Vec::new();
        backlog.give_up_samples(&mut |index, tally| gone.push((index, tally.count)));
        assert_eq!((gone, backlog.bytes()), (vec![(1, 1), (1, 2)], 0));
    }
}
