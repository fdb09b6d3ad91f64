use proptest::prelude::*;

use super::*;

fn stamped(stamp_s: f64, values: &[u8]) -> Vec<u8> {
    [&[STAMPED][..], &stamp_s.to_ne_bytes(), values].concat()
}

fn deduced(values: &[u8]) -> Vec<u8> {
    [&[DEDUCED][..], values].concat()
}

fn all(decoder: &mut Decoder, bytes: &[u8]) -> Batch {
    let mut batch = Batch::default();
    assert_eq!(decoder.decode(bytes, &mut batch), Ok(bytes.len()));
    batch
}

#[test]
fn stamps_are_as_sent_or_one_addition_after_the_one_before() {
    let mut decoder = Decoder::new(Format::Int8, 2, 3.0, false);
    let bytes = [stamped(0.1, &[1, 2]), deduced(&[3, 4]), deduced(&[5, 6]), stamped(9.0, &[7, 8])].concat();
    let batch = all(&mut decoder, &bytes);
    let third = 1.0 / 3.0;
    assert_eq!(batch.stamps_s, [0.1, 0.1 + third, 0.1 + third + third, 9.0]);
    assert_eq!(batch.values, [1, 2, 3, 4, 5, 6, 7, 8]);
    assert_eq!(all(&mut decoder, &deduced(&[0, 0])).stamps_s, [9.0 + third], "across batches too");
}

#[test]
fn irregular_samples_without_a_stamp_have_that_of_the_one_before() {
    let mut decoder = Decoder::new(Format::Int8, 1, 0.0, false);
    let bytes = [stamped(5.0, &[1]), deduced(&[2])].concat();
    assert_eq!(all(&mut decoder, &bytes).stamps_s, [5.0, 5.0]);
}

#[test]
fn samples_before_the_first_stamp_wait_for_it_and_stand_before_it() {
    let mut decoder = Decoder::new(Format::Int8, 1, 4.0, false);
    let mut batch = Batch::default();
    let first = [deduced(&[1]), deduced(&[2])].concat();
    assert_eq!(decoder.decode(&first, &mut batch), Ok(4));
    assert!(decoder.is_holding());
    assert_eq!(decoder.decode(&stamped(10.0, &[3]), &mut batch), Ok(10));
    assert!(!decoder.is_holding());
    assert_eq!(batch.stamps_s, [9.5, 9.75, 10.0]);
    assert_eq!(batch.values, [1, 2, 3]);
}

#[test]
fn a_feed_that_never_says_a_stamp_is_counted_from_zero_as_liblsl_does() {
    let mut decoder = Decoder::new(Format::Int8, 1, 4.0, false);
    let mut batch = Batch::default();
    let many = deduced(&[7]).repeat(1 << 20);
    assert_eq!(decoder.decode(&many, &mut batch), Ok(many.len()));
    assert!(decoder.is_holding() && !decoder.has_given_up());
    assert_eq!(decoder.decode(&many, &mut batch), Ok(many.len()));
    assert!(!decoder.is_holding() && decoder.has_given_up());
    assert_eq!(batch.stamps_s[..3], [0.25, 0.5, 0.75]);
    assert_eq!(all(&mut decoder, &deduced(&[0])).stamps_s, [f64::from((2 << 20) + 1) * 0.25]);
    let mut short = Decoder::new(Format::Int8, 1, 4.0, false);
    let mut batch = all(&mut short, &deduced(&[7]));
    short.give_up_waiting(&mut batch);
    assert_eq!((batch.stamps_s, short.is_holding()), (vec![0.25], false));
}

#[test]
fn texts_of_every_length_are_bytes_as_they_came() {
    let mut decoder = Decoder::new(Format::String, 2, 0.0, false);
    let long = vec![b'x'; 70_000];
    let with = |width: u8, text: &[u8]| {
        let length = (text.len() as u64).to_le_bytes();
        [&[width][..], &length[..usize::from(width)], text].concat()
    };
    let sample = [with(1, b""), with(4, &long)].concat();
    let other = [with(8, "\u{e9}".as_bytes()), with(2, &[0xff, 0])].concat();
    let batch = all(&mut decoder, &[stamped(1.0, &sample), deduced(&other)].concat());
    let texts: Vec<&[u8]> = batch.texts().collect();
    assert_eq!(texts, [&b""[..], &long, "\u{e9}".as_bytes(), &[0xff, 0]]);
    assert_eq!(batch.stamps_s, [1.0, 1.0]);
}

#[test]
fn what_is_no_sample_is_said_and_what_came_before_is_kept() {
    let mut decoder = Decoder::new(Format::Int8, 1, 0.0, false);
    let mut batch = Batch::default();
    let bytes = [stamped(1.0, &[9]), vec![3, 0, 0]].concat();
    assert!(decoder.decode(&bytes, &mut batch).unwrap_err().0.contains("begins with 3"));
    assert_eq!(batch.values, [9]);
    let mut texts = Decoder::new(Format::String, 1, 0.0, false);
    let error = |texts: &mut Decoder, bytes: &[u8]| texts.decode(bytes, &mut Batch::default()).unwrap_err().0;
    assert!(error(&mut texts, &deduced(&[3, 1])).contains("3 bytes"));
    assert!(error(&mut texts, &deduced(&[8, 0, 0, 0, 0, 0, 0, 0, 1])).contains("said to have"));
    assert!(error(&mut texts, &[0]).contains("no tag"));
}

#[test]
fn a_broken_sample_leaves_nothing_behind() {
    let mut decoder = Decoder::new(Format::String, 2, 0.0, false);
    let mut batch = Batch::default();
    let bytes = [stamped(1.0, &[1, 1, b'a', 1, 0]), stamped(2.0, &[1, 1, b'x', 9])].concat();
    assert!(decoder.decode(&bytes, &mut batch).is_err());
    assert_eq!((batch.stamps_s.len(), batch.text_ends.len(), batch.values.as_slice()), (1, 2, &b"a"[..]));
}

#[test]
fn stamps_and_lengths_are_turned_whatever_the_format() {
    let mut stamp = 2.5_f64.to_ne_bytes();
    stamp.reverse();
    let mut small = Decoder::new(Format::Int8, 1, 0.0, true);
    assert_eq!(all(&mut small, &[&[STAMPED][..], &stamp, &[7]].concat()).stamps_s, [2.5]);
    let mut texts = Decoder::new(Format::String, 1, 0.0, true);
    let mut length = 3_u32.to_ne_bytes();
    length.reverse();
    let batch = all(&mut texts, &[&[STAMPED][..], &stamp, &[4], &length, b"abc"].concat());
    assert_eq!((batch.stamps_s, batch.values), (vec![2.5], b"abc".to_vec()));
}

#[test]
fn numbers_of_the_other_byte_order_are_turned() {
    let mut decoder = Decoder::new(Format::Int16, 2, 0.0, true);
    let mut stamp = 2.5_f64.to_ne_bytes();
    stamp.reverse();
    let mut bytes = [&[STAMPED][..], &stamp].concat();
    for value in [258_i16, -2] {
        let mut raw = value.to_ne_bytes();
        raw.reverse();
        bytes.extend(raw);
    }
    let batch = all(&mut decoder, &bytes);
    assert_eq!(batch.stamps_s, [2.5]);
    assert_eq!(batch.values, [258_i16.to_ne_bytes(), (-2_i16).to_ne_bytes()].concat());
}

proptest! {
    /// However the bytes are cut, the samples are the same.
    #[test]
    fn where_the_bytes_are_cut_does_not_matter(
        samples in proptest::collection::vec((any::<bool>(), -1e6..1e6f64, any::<[u8; 3]>()), 1..60),
        texts in any::<bool>(),
        cut in 1usize..40,
    ) {
        let format = if texts { Format::String } else { Format::Int8 };
        let row = |v: &[u8; 3]| if texts { vec![1, 1, v[0], 1, 0, 2, 2, 0, v[1], v[2]] } else { v.to_vec() };
        let bytes: Vec<u8> = samples
            .iter()
            .flat_map(|(said, s, v)| if *said { stamped(*s, &row(v)) } else { deduced(&row(v)) })
            .collect();
        let whole = {
            let mut decoder = Decoder::new(format, 3, 100.0, false);
            let mut batch = all(&mut decoder, &bytes);
            decoder.give_up_waiting(&mut batch);
            batch
        };
        let (mut decoder, mut batch) = (Decoder::new(format, 3, 100.0, false), Batch::default());
        let mut left = Vec::new();
        for piece in bytes.chunks(cut) {
            left.extend_from_slice(piece);
            let used = decoder.decode(&left, &mut batch).expect("samples");
            left.drain(..used);
        }
        decoder.give_up_waiting(&mut batch);
        prop_assert!(left.is_empty());
        prop_assert_eq!(batch, whole);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400), texts in any::<bool>()) {
        let format = if texts { Format::String } else { Format::Int32 };
        let mut decoder = Decoder::new(format, 2, 0.0, false);
        let mut batch = Batch::default();
        if let Ok(used) = decoder.decode(&bytes, &mut batch) {
            prop_assert!(used <= bytes.len());
            prop_assert_eq!(batch.values.len() >= batch.stamps_s.len() * 8 || texts, true);
        }
    }
}
