//! Trees from text and back, bounds, and names and characters that XML cannot hold.

use super::*;
use proptest::prelude::*;

#[test]
fn attributes_text_entities_and_cdata_are_read() {
    let xml = "<?xml version=\"1.0\"?>\n<!-- c --><a x='1 &lt; 2' y=\"&#233;\">t&amp;u<![CDATA[<&]]>\
               <b/>&#x41;</a>\n";
    let expected = Element::new("a")
        .with_attribute("x", "1 < 2")
        .with_attribute("y", "é")
        .with_text("t&u<&A")
        .with_child(Element::new("b"));
    assert_eq!(Element::parse(xml).unwrap(), expected);
}

#[test]
fn white_space_between_children_is_dropped_and_in_text_kept() {
    let parsed = Element::parse("<a>\n\t<b> x\n</b>\n</a>").unwrap();
    assert_eq!(parsed.text, "");
    assert_eq!(parsed.text_at("b"), Some(" x\n"));
}

#[test]
fn paths_find_the_first_child_of_each_name() {
    let tree = Element::parse("<info><desc><c><n>1</n></c><c><n>2</n></c></desc></info>").unwrap();
    assert_eq!(tree.text_at("desc/c/n"), Some("1"));
    assert_eq!(tree.find(""), Some(&tree));
    assert_eq!(tree.find("desc/d/n"), None);
    assert_eq!(tree.child("desc").unwrap().children[1].text_at("n"), Some("2"));
}

#[test]
fn child_mut_and_push_child_change_the_tree() {
    let mut tree = Element::new("a").with_child(Element::new("b"));
    tree.child_mut("b").unwrap().push_child(Element::new("c").with_text("1"));
    assert_eq!(tree.to_fragment(), "<a><b><c>1</c></b></a>");
}

#[test]
fn fragments_are_any_number_of_elements() {
    let elements = parse_fragment(" <a/>\n<b>1</b> ").unwrap();
    assert_eq!(elements, [Element::new("a"), Element::new("b").with_text("1")]);
    assert_eq!(parse_fragment("").unwrap(), []);
    assert_eq!(parse_fragment("<a/>text").unwrap_err().reason, XmlReason::StrayText);
}

#[test]
fn errors_say_line_column_and_mend() {
    for (xml, expected) in [
        ("", "line 1, column 1: there is no element"),
        ("<a>\n  <b></c></a>", "line 2, column 6: not well-formed"),
        ("<é/>\n<b/>", "line 2, column 1: <b> follows"),
        ("<a>&nbsp;</a>", "line 1, column 4: &nbsp; is not known"),
        ("<a><b>", "line 1, column 7: <b> is not closed"),
        ("<a x=1/>", "line 1, column 1: not well-formed"),
        ("<a x='1' x='2'/>", "duplicated attribute"),
        ("<a>&#0;</a>", "line 1, column 4: not well-formed"),
        ("<a>fish & chips</a>", "line 1, column 9: not well-formed"),
        ("just text", "text outside"),
    ] {
        let message = Element::parse(xml).unwrap_err().to_string();
        assert!(message.contains(expected), "{xml:?}: {message}");
    }
}

#[test]
fn depth_and_size_are_bounded() {
    let nested = |depth| "<a>".repeat(depth) + &"</a>".repeat(depth);
    assert!(Element::parse(&nested(MAX_DEPTH)).is_ok());
    let error = Element::parse(&nested(MAX_DEPTH + 1)).unwrap_err();
    assert_eq!(error.reason, XmlReason::TooDeep);
    let error = parse_fragment(&"<a/>".repeat(MAX_NODES + 1)).unwrap_err();
    assert_eq!(error.reason, XmlReason::TooLarge);
}

#[test]
fn what_is_parsed_for_inside_a_document_can_be_parsed_in_it() {
    let nested = |depth| "<a>".repeat(depth) + &"</a>".repeat(depth);
    let deepest = nested(MAX_DEPTH - 2);
    assert_eq!(parse_inside(&nested(MAX_DEPTH - 1), 2).unwrap_err().reason, XmlReason::TooDeep);
    let many = "<a/>".repeat(MAX_NODES - 2000);
    assert_eq!(parse_inside(&"<a/>".repeat(MAX_NODES - 2), 2).unwrap_err().reason, XmlReason::TooLarge);
    for xml in [deepest, many] {
        let mut desc = Element::new("desc");
        desc.children = parse_inside(&xml, 2).unwrap();
        let document = Element::new("info").with_child(desc).to_xml();
        assert!(Element::parse(&document).is_ok());
    }
}

#[test]
fn many_attributes_are_read_and_written_without_comparing_each_with_all() {
    let attributes: String = (0..100_000).map(|n| format!(" a{n}=\"{n}\"")).collect();
    let xml = format!("<a{attributes}/>");
    let begun = std::time::Instant::now();
    assert_eq!(Element::parse(&xml).unwrap().to_fragment(), xml);
    // Comparing would take ten billion steps.
    assert!(begun.elapsed().as_secs() < 10, "{:?}", begun.elapsed());
}

#[test]
fn characters_xml_cannot_hold_are_replaced() {
    let tree = Element::new("a").with_attribute("k", "\u{1}").with_text("x\u{0}\u{8}\u{FFFF}y");
    assert_eq!(tree.to_fragment(), "<a k=\"\u{FFFD}\">x\u{FFFD}\u{FFFD}\u{FFFD}y</a>");
}

#[test]
fn names_xml_cannot_hold_are_mended() {
    for (name, expected) in [
        ("", "<_/>"),
        ("a b", "<a_b/>"),
        ("1st", "<_1st/>"),
        ("-x", "<_-x/>"),
        ("x:y", "<x_y/>"),
        ("a<b>", "<a_b_/>"),
        ("größe", "<größe/>"),
        ("被験者", "<被験者/>"),
        ("\u{1F600}", "<__/>"),
        ("xmlns", "<xmlns_/>"),
    ] {
        assert_eq!(Element::new(name).to_fragment(), expected);
    }
    let twice = Element::new("a").with_attribute("x y", "1").with_attribute("x_y", "2");
    assert_eq!(twice.to_fragment(), "<a x_y=\"1\"/>");
}

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof!["[<>&\"'\r\n\t ;#x0-9\\]]{0,12}", "[^\\p{Cc}\u{FFFE}\u{FFFF}]{0,12}"]
}

fn any_tree() -> impl Strategy<Value = Element> {
    let name = "[a-zA-Z_ä被][a-zA-Z0-9_.é-]{0,6}";
    let attributes = prop::collection::btree_map(name, any_text(), 0..3);
    let leaf = (name, attributes, any_text()).prop_map(|(name, attributes, text)| Element {
        name,
        attributes: attributes.into_iter().filter(|(key, _)| key != "xmlns").collect(),
        text,
        children: Vec::new(),
    });
    leaf.prop_recursive(4, 24, 4, move |inner| {
        (name, prop::collection::vec(inner, 1..4)).prop_map(|(name, children)| Element {
            name,
            children,
            ..Element::default()
        })
    })
}

proptest! {
    #[test]
    fn a_written_tree_is_read_back(tree in any_tree()) {
        prop_assert_eq!(Element::parse(&tree.to_xml()).unwrap(), tree.clone());
        prop_assert_eq!(parse_fragment(&tree.to_fragment()).unwrap(), [tree]);
    }

    #[test]
    fn a_tree_of_any_characters_is_written_well_formed(
        name: String, key: String, value: String, text: String,
    ) {
        let tree = Element::new(name).with_attribute(key, value).with_text(text);
        let back = Element::parse(&tree.to_xml()).unwrap();
        prop_assert_eq!(back.to_xml(), tree.to_xml());
    }

    #[test]
    fn any_text_is_parsed_without_panic(xml in "[<>/&;#a\"'= !\\[\\]?\u{e9}\n-]{0,40}") {
        let _ = Element::parse(&xml);
        let _ = parse_fragment(&xml);
    }
}
