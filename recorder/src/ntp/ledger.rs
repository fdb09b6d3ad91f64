//! Which questions were asked, and which of them are answered. Pure.

use std::collections::VecDeque;

/// Questions remembered.
const REMEMBERED: usize = 64;

/// What a packet that echoes a nonce is to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// The first answer to a question that is waited for, which left at this time.
    Awaited {
        /// When the question left, in nanoseconds of recorder time.
        t0_ns: i64,
    },
    /// To a question that is no longer waited for.
    Late,
    /// To a question that has been answered.
    Duplicate,
    /// To no question of ours.
    Unknown,
}

#[derive(Debug, Clone, Copy)]
struct Question {
    nonce: u64,
    t0_ns: i64,
    state: QuestionState,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum QuestionState {
    Open,
    GivenUp,
    Answered,
}

/// The last questions, by their nonces. Several may be open at a time.
#[derive(Debug, Default)]
pub struct Ledger {
    asked: VecDeque<Question>,
}

impl Ledger {
    /// A question with this nonce left at `t0_ns`.
    pub fn ask(&mut self, nonce: u64, t0_ns: i64) {
        if self.asked.len() >= REMEMBERED {
            self.asked.pop_front();
        }
        self.asked.push_back(Question { nonce, t0_ns, state: QuestionState::Open });
    }

    /// An answer came that echoes `nonce`.
    pub fn answer(&mut self, nonce: u64) -> Fate {
        let Some(question) = self.asked.iter_mut().rev().find(|q| q.nonce == nonce) else {
            return Fate::Unknown;
        };
        let fate = match question.state {
            QuestionState::Open => Fate::Awaited { t0_ns: question.t0_ns },
            QuestionState::GivenUp => Fate::Late,
            QuestionState::Answered => Fate::Duplicate,
        };
        question.state = QuestionState::Answered;
        fate
    }

    /// Questions that are waited for.
    pub fn open(&self) -> usize {
        self.asked.iter().filter(|q| q.state == QuestionState::Open).count()
    }

    /// Wait no longer for questions that left at or before `t0_ns`; how many these were.
    pub fn give_up(&mut self, t0_ns: i64) -> u64 {
        let mut given_up = 0;
        for question in &mut self.asked {
            if question.state == QuestionState::Open && question.t0_ns <= t0_ns {
                question.state = QuestionState::GivenUp;
                given_up += 1;
            }
        }
        given_up
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_question_has_one_answer_in_time_in_any_order() {
        let mut ledger = Ledger::default();
        assert_eq!(ledger.answer(1), Fate::Unknown);
        ledger.ask(1, 10);
        ledger.ask(2, 20);
        ledger.ask(3, 30);
        assert_eq!(ledger.open(), 3);
        assert_eq!(ledger.answer(2), Fate::Awaited { t0_ns: 20 });
        assert_eq!(ledger.answer(2), Fate::Duplicate);
        assert_eq!(ledger.give_up(20), 1, "the first; the second is answered");
        assert_eq!(ledger.answer(1), Fate::Late);
        assert_eq!(ledger.answer(1), Fate::Duplicate);
        assert_eq!(ledger.answer(3), Fate::Awaited { t0_ns: 30 });
        assert_eq!((ledger.open(), ledger.give_up(i64::MAX)), (0, 0));
    }

    #[test]
    fn what_is_long_past_is_forgotten() {
        let mut ledger = Ledger::default();
        for nonce in 0..1000 {
            ledger.ask(nonce, 0);
        }
        assert_eq!(ledger.open(), REMEMBERED);
        assert_eq!(ledger.answer(5), Fate::Unknown);
    }
}
