//! A question to LSL's time service and its answer (protocol 1.10: `LSL:timedata`).

/// An answer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Answer {
    /// Number of the question.
    pub id: i32,
    /// When the outlet got the question, in seconds of its clock.
    pub t1_s: f64,
    /// When it answered.
    pub t2_s: f64,
}

/// A question of the number `id`, asked at `t0_s`.
pub fn question(id: i32, t0_s: f64) -> Vec<u8> {
    // An outlet repeats the time, which nobody needs: the number says which question it was.
    format!("LSL:timedata\r\n{id} {t0_s:.9}\r\n").into_bytes()
}

/// The answer in a datagram, if it is one.
pub fn answer(datagram: &[u8]) -> Option<Answer> {
    let mut words = std::str::from_utf8(datagram).ok()?.split_ascii_whitespace();
    let id = words.next()?.parse().ok()?;
    let mut seconds = || words.next()?.parse::<f64>().ok().filter(|s| s.is_finite());
    let (_t0_s, t1_s, t2_s) = (seconds()?, seconds()?, seconds()?);
    Some(Answer { id, t1_s, t2_s })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_question_and_an_answer() {
        assert_eq!(question(7, 1.25), b"LSL:timedata\r\n7 1.250000000\r\n");
        let expected = Answer { id: 7, t1_s: 314.5, t2_s: 314.500_012 };
        assert_eq!(answer(b" 7 1.25 314.5 314.500012"), Some(expected));
        assert_eq!(answer(b" 7 1.25 31426.5"), None);
        assert_eq!(answer(b" 7 1.25 nan 2"), None);
        assert_eq!(answer(b""), None);
    }

    proptest! {
        #[test]
        fn no_datagram_makes_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = answer(&bytes);
        }
    }
}
