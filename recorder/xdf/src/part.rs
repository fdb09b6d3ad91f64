//! The recorder's part of a stream's header.
//!
//! Of a stream whose header the recorder made, that is `desc` itself. A header that a stream came with
//! from another recording system is kept as it was, and may hold anything: what the recorder has to say
//! then stands in one element of its own, the last `desc/lockstep`.

use crate::xml::Element;

/// Name of the recorder's own element in `desc`.
pub const RECORDERS_PART: &str = "lockstep";

/// Which of the elements named [`RECORDERS_PART`] is the recorder's part: it always says `acquisition`, even
/// if there is nothing to tell (those that do not hold something else, as where a merged stream is from).
const ALWAYS: &str = "acquisition";

fn position(desc: &Element) -> Option<usize> {
    desc.children.iter().rposition(|child| child.name == RECORDERS_PART && child.child(ALWAYS).is_some())
}

/// The element that holds the recorder's `clock` and `acquisition`.
pub fn recorders_part(desc: &Element) -> &Element {
    position(desc).map_or(desc, |index| &desc.children[index])
}

/// [`recorders_part`], to change.
pub fn recorders_part_mut(desc: &mut Element) -> &mut Element {
    match position(desc) {
        Some(index) => &mut desc.children[index],
        None => desc,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_desc_or_the_last_element_of_its_own() {
        for (xml, clock) in [
            ("<desc><clock><name>a</name></clock></desc>", Some("a")),
            ("<desc><clock><name>a</name></clock><lockstep><merge/></lockstep></desc>", Some("a")),
            ("<desc><clock><name>foreign</name></clock><lockstep><acquisition/></lockstep></desc>", None),
            (
                "<desc><lockstep><acquisition/><clock><name>foreign</name></clock></lockstep>\
                 <lockstep><acquisition/><clock><name>b</name></clock></lockstep></desc>",
                Some("b"),
            ),
            ("<desc/>", None),
        ] {
            let mut desc = Element::parse(xml).unwrap();
            assert_eq!(recorders_part(&desc).text_at("clock/name"), clock, "{xml}");
            recorders_part_mut(&mut desc).push_child(Element::new("mark"));
            assert!(recorders_part(&desc).child("mark").is_some(), "{xml}");
        }
    }
}
