//! What a source in a process of its own says through its pipe, and what it is told.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lockstep_recorder::host::child::frame::{FromChild, FromParent, read_all};

fuzz_target!(|data: &[u8]| {
    let Some((&piece, bytes)) = data.split_first() else { return };
    let whole = read_all(bytes, bytes.len());
    assert_eq!(whole, read_all(bytes, 1 + usize::from(piece)), "pieces make no difference");
    assert!(whole.unwrap_or(0) <= bytes.len() / 5, "a frame has a length and a kind");
    let framed = |frame: &[u8]| [&(frame.len() as u32).to_ne_bytes()[..], frame].concat();
    let mut written = Vec::new();
    if let Ok(said) = FromChild::decode(bytes) {
        said.encode(&mut written).expect("it was no longer before");
        assert_eq!(written, framed(bytes), "{said:?}");
    }
    written.clear();
    if let Ok(told) = FromParent::decode(bytes) {
        told.encode(&mut written).expect("it was no longer before");
        assert_eq!(written, framed(bytes), "{told:?}");
    }
});
