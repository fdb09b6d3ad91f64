//! Which questions were asked, and which of them are answered. Pure.

use std::collections::VecDeque;

/// Questions remembered.
const REMEMBERED: usize = 64;

/// What an answer is to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// The answer to the question that is open.
    Awaited,
    /// To a question that is no longer waited for.
    Late,
    /// To a question that has been answered.
    Duplicate,
    /// To no question of ours.
    Unknown,
}

/// The last questions, by an id that is in question and answer.
#[derive(Debug, Default)]
pub struct Ledger {
    /// Id, and whether an answer came; the open question is the last.
    asked: VecDeque<(u64, bool)>,
}

impl Ledger {
    /// A question is asked; the one before is no longer waited for.
    pub fn ask(&mut self, id: u64) {
        if self.asked.len() >= REMEMBERED {
            self.asked.pop_front();
        }
        self.asked.push_back((id, false));
    }

    /// An answer came.
    pub fn answer(&mut self, id: u64) -> Fate {
        let open = self.asked.len().saturating_sub(1);
        let Some(at) = self.asked.iter().rposition(|(asked, _)| *asked == id) else {
            return Fate::Unknown;
        };
        let answered = self.asked.get_mut(at).is_some_and(|(_, answered)| std::mem::replace(answered, true));
        match (answered, at == open) {
            (true, _) => Fate::Duplicate,
            (false, true) => Fate::Awaited,
            (false, false) => Fate::Late,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_answer_to_the_open_question_is_awaited() {
        let mut ledger = Ledger::default();
        assert_eq!(ledger.answer(1), Fate::Unknown);
        ledger.ask(1);
        ledger.ask(2);
        assert_eq!(ledger.answer(1), Fate::Late);
        assert_eq!(ledger.answer(1), Fate::Duplicate);
        assert_eq!(ledger.answer(2), Fate::Awaited);
        assert_eq!(ledger.answer(2), Fate::Duplicate);
        (3..200).for_each(|id| ledger.ask(id));
        assert_eq!(ledger.answer(2), Fate::Unknown);
    }
}
