//! Cutting floods: so many a second pass, the rest is counted and told.

use parking_lot::Mutex;

/// Lets so many a second pass.
#[derive(Debug)]
pub struct Limiter {
    per_s: u32,
    window: Mutex<Window>,
}

#[derive(Debug, Default)]
struct Window {
    second: i64,
    passed: u32,
    hidden: u64,
}

/// Whether something may pass.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It may; so many before it might not, and have not been told of yet.
    Pass {
        /// How many.
        hidden_before: u64,
    },
    /// It is counted instead.
    Hide,
}

impl Limiter {
    /// Lets `per_s` a second pass.
    pub fn new(per_s: u32) -> Self {
        Self { per_s, window: Mutex::default() }
    }

    /// One more at `now_s`.
    pub fn ask(&self, now_s: f64) -> Verdict {
        let second = now_s as i64;
        let mut window = self.window.lock();
        if window.second != second {
            window.second = second;
            window.passed = 0;
        }
        if window.passed >= self.per_s {
            window.hidden += 1;
            return Verdict::Hide;
        }
        window.passed += 1;
        Verdict::Pass { hidden_before: std::mem::take(&mut window.hidden) }
    }

    /// How many were hidden since it was last told.
    pub fn take_hidden(&self) -> u64 {
        std::mem::take(&mut self.window.lock().hidden)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_cut_and_its_size_is_told_with_the_next_that_passes() {
        let limiter = Limiter::new(2);
        let pass = |hidden_before| Verdict::Pass { hidden_before };
        assert_eq!([limiter.ask(5.1), limiter.ask(5.2)], [pass(0), pass(0)]);
        assert_eq!([limiter.ask(5.3), limiter.ask(5.9)], [Verdict::Hide, Verdict::Hide]);
        assert_eq!([limiter.ask(6.0), limiter.ask(6.1)], [pass(2), pass(0)]);
        assert_eq!(limiter.ask(6.2), Verdict::Hide);
        assert_eq!((limiter.take_hidden(), limiter.take_hidden()), (1, 0));
    }
}
