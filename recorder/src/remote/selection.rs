//! What `select` has chosen at run time, beside the sources of the configuration.

use serde::Serialize;

/// Everything on the network, as a predicate of LSL.
const EVERYTHING: &str = "true()";

/// Most predicates that can be selected.
const PREDICATES_MAX: usize = 256;

/// The streams of LSL that were selected.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Selection(Vec<String>);

impl Selection {
    /// What is selected, each as a predicate of LSL.
    pub fn predicates(&self) -> &[String] {
        &self.0
    }

    /// Whether nothing is.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Every stream of LSL.
    pub fn all(&mut self) {
        self.0 = vec![EVERYTHING.to_owned()];
    }

    /// Nothing more.
    pub fn none(&mut self) {
        self.0.clear();
    }

    /// The streams of which this predicate is true, too; whether that is news.
    ///
    /// # Errors
    /// When there are too many.
    pub fn add(&mut self, predicate: &str) -> Result<bool, String> {
        if self.0.iter().any(|known| known == predicate || known == EVERYTHING) {
            return Ok(false);
        }
        if self.0.len() >= PREDICATES_MAX {
            return Err(format!(
                "{PREDICATES_MAX} predicates are selected already: send `select none`, and fewer ones joined by `or`"
            ));
        }
        if predicate == EVERYTHING {
            self.none();
        }
        self.0.push(predicate.to_owned());
        Ok(true)
    }

    /// In words.
    pub fn describe(&self) -> String {
        match self.0.as_slice() {
            [] => "no stream of LSL".to_owned(),
            [only] if only == EVERYTHING => "every stream of LSL".to_owned(),
            some => format!("the streams of LSL with {}", some.join(" or ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn predicates_add_up_and_everything_takes_them_in() {
        let mut selection = Selection::default();
        assert_eq!(selection.describe(), "no stream of LSL");
        assert_eq!(selection.add("type='EEG'"), Ok(true));
        assert_eq!(selection.add("type='EEG'"), Ok(false));
        assert_eq!(selection.add("name='Markers'"), Ok(true));
        assert_eq!(selection.describe(), "the streams of LSL with type='EEG' or name='Markers'");
        selection.all();
        assert_eq!(selection.predicates(), ["true()"]);
        assert_eq!(selection.add("type='EEG'"), Ok(false));
        selection.none();
        assert!(selection.is_empty());
        for n in 0..PREDICATES_MAX {
            assert_eq!(selection.add(&format!("name='{n}'")), Ok(true));
        }
        assert!(selection.add("one more").is_err());
    }
}
