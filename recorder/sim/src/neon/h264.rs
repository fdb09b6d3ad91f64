//! A tiny H.264 encoder: grey pictures that carry their number as a bar code. Pure.
//!
//! Constrained baseline profile. A key picture is made of intra macroblocks without a residual,
//! which come out as flat grey; the others skip all macroblocks. In every picture the last
//! [`CODE_BLOCKS`] macroblocks of the last row are uncoded samples: a white block, a black block,
//! then the low 16 bits of the number, the highest first, white for 1. As these blocks are the very
//! last ones, nothing is predicted from them, and each picture can be read without the one before.
//!
//! Names in the comments are those of ITU-T H.264, section 7.3.

/// Macroblocks of the bar code: white, black, and 16 bits.
pub(super) const CODE_BLOCKS: usize = 18;
/// Profile, constraints and level as hexadecimal digits, for SDP.
pub(super) const PROFILE_LEVEL_ID: &str = "42C028";

/// Width and height of a macroblock.
const BLOCK: u16 = 16;
/// Baseline.
const PROFILE: u32 = 66;
/// Decodable also by those who know only the constrained one, or main.
const CONSTRAINTS: u32 = 0xc0;
/// Level 4.0: enough for 1600 x 1200 at 30 Hz and for 384 x 192 at 200 Hz.
const LEVEL: u32 = 40;
/// Bits of a frame number.
const FRAME_NUMBER_BITS: u32 = 8;
/// Luma of the bar code: the ends of the studio range.
const WHITE: u8 = 235;
const BLACK: u8 = 16;
/// Chroma without colour.
const NEUTRAL: u8 = 128;
/// Samples of a macroblock's luma and of its chroma.
const LUMA_SAMPLES: usize = 256;
const CHROMA_SAMPLES: usize = 128;

const NAL_PICTURE: u8 = 1;
const NAL_KEY_PICTURE: u8 = 5;
const NAL_SEQUENCE: u8 = 7;
const NAL_PICTURE_SET: u8 = 8;

/// Makes the pictures of one camera.
#[derive(Debug, Clone)]
pub(super) struct Encoder {
    blocks_across: u32,
    blocks_down: u32,
    /// Each so many pictures, one is a key picture.
    key_every: u64,
}

impl Encoder {
    /// A camera of this size, which must be a multiple of 16 and as wide as the bar code.
    pub(super) fn new((width, height): (u16, u16), key_every: u64) -> Self {
        Self {
            blocks_across: (width / BLOCK).into(),
            blocks_down: (height / BLOCK).into(),
            key_every: key_every.max(1),
        }
    }

    /// The sequence parameter set, as a NAL unit without start code.
    pub(super) fn sequence(&self) -> Vec<u8> {
        let mut bits = Bits::default();
        bits.put(8, PROFILE);
        bits.put(8, CONSTRAINTS);
        bits.put(8, LEVEL);
        bits.unsigned(0); // seq_parameter_set_id
        bits.unsigned(FRAME_NUMBER_BITS - 4);
        bits.unsigned(2); // pic_order_cnt_type: shown as they are decoded
        bits.unsigned(1); // max_num_ref_frames
        bits.put(1, 0); // gaps_in_frame_num_value_allowed_flag
        bits.unsigned(self.blocks_across - 1);
        bits.unsigned(self.blocks_down - 1);
        bits.put(1, 1); // frame_mbs_only_flag
        bits.put(1, 1); // direct_8x8_inference_flag
        bits.put(1, 0); // frame_cropping_flag
        bits.put(1, 1); // vui_parameters_present_flag
        bits.put(8, 0); // nothing about aspect, signal, timing, HRD, pic_struct
        bits.put(1, 1); // bitstream_restriction_flag
        bits.put(1, 1); // motion_vectors_over_pic_boundaries_flag
        for value in [0, 0, 10, 10] {
            bits.unsigned(value); // denominators, lengths of motion vectors
        }
        bits.unsigned(0); // max_num_reorder_frames: a decoder need not wait
        bits.unsigned(1); // max_dec_frame_buffering
        bits.into_nal(3, NAL_SEQUENCE)
    }

    /// The picture parameter set, as a NAL unit without start code.
    pub(super) fn picture_set(&self) -> Vec<u8> {
        let mut bits = Bits::default();
        bits.unsigned(0); // pic_parameter_set_id
        bits.unsigned(0); // seq_parameter_set_id
        bits.put(2, 0); // CAVLC, no bottom_field_pic_order_in_frame_present_flag
        for _ in 0..3 {
            bits.unsigned(0); // one slice group, one reference in each list
        }
        bits.put(3, 0); // no weighted prediction
        for _ in 0..3 {
            bits.unsigned(0); // quantisers as they are (0 as a signed number looks the same)
        }
        bits.put(3, 0b100); // deblocking_filter_control_present_flag alone
        bits.into_nal(3, NAL_PICTURE_SET)
    }

    /// Whether picture `index` is a key picture.
    pub(super) fn is_key(&self, index: u64) -> bool {
        index.is_multiple_of(self.key_every)
    }

    /// Picture `index`, as NAL units without start codes: before a key picture also the parameter
    /// sets, for those who join late.
    pub(super) fn picture(&self, index: u64) -> Vec<Vec<u8>> {
        let blocks = self.blocks_across * self.blocks_down;
        let grey = blocks.saturating_sub(CODE_BLOCKS as u32);
        let since_key = index % self.key_every;
        let key = since_key == 0;
        let mut bits = Bits::default();
        bits.unsigned(0); // first_mb_in_slice
        bits.unsigned(if key { 7 } else { 5 }); // slice_type: all I, all P
        bits.unsigned(0); // pic_parameter_set_id
        bits.put(FRAME_NUMBER_BITS, (since_key % (1 << FRAME_NUMBER_BITS)) as u32);
        if key {
            // idr_pic_id: key pictures after one another must differ.
            bits.unsigned((index / self.key_every % 2) as u32);
            bits.put(2, 0); // no_output_of_prior_pics_flag, long_term_reference_flag
        } else {
            bits.put(2, 0); // no override of references, no reordering
            bits.put(1, 0); // adaptive_ref_pic_marking_mode_flag
        }
        bits.unsigned(0); // slice_qp_delta
        bits.unsigned(1); // disable_deblocking_filter_idc
        if key {
            for _ in 0..grey {
                bits.unsigned(3); // I_16x16_2_0_0: predicted by the mean, nothing coded
                bits.unsigned(0); // intra_chroma_pred_mode
                bits.unsigned(0); // mb_qp_delta
                bits.put(1, 1); // coeff_token: none
            }
        }
        for place in 0..CODE_BLOCKS {
            if key {
                bits.unsigned(25); // I_PCM
            } else {
                bits.unsigned(if place == 0 { grey } else { 0 }); // mb_skip_run
                bits.unsigned(5 + 25);
            }
            bits.align();
            bits.bytes.extend_from_slice(&[luma(index, place); LUMA_SAMPLES]);
            bits.bytes.extend_from_slice(&[NEUTRAL; CHROMA_SAMPLES]);
        }
        if key {
            vec![self.sequence(), self.picture_set(), bits.into_nal(3, NAL_KEY_PICTURE)]
        } else {
            vec![bits.into_nal(2, NAL_PICTURE)]
        }
    }
}

/// Luma of a block of the bar code of picture `index`.
fn luma(index: u64, place: usize) -> u8 {
    let white = match place {
        0 => true,
        1 => false,
        bit => index >> (CODE_BLOCKS - 1 - bit) & 1 == 1,
    };
    if white { WHITE } else { BLACK }
}

/// Bits as they are appended.
#[derive(Debug, Default)]
struct Bits {
    bytes: Vec<u8>,
    /// Bits that are used of the last byte; 0 when it is full.
    used: u32,
}

impl Bits {
    /// The low `count` bits of `value`, the highest first.
    fn put(&mut self, count: u32, value: u32) {
        for bit in (0..count).rev() {
            if self.used == 0 {
                self.bytes.push(0);
            }
            if let Some(last) = self.bytes.last_mut() {
                *last |= ((value >> bit & 1) as u8) << (7 - self.used);
            }
            self.used = (self.used + 1) % 8;
        }
    }

    /// ue(v): as many zeros as bits follow the first one of `value + 1`.
    fn unsigned(&mut self, value: u32) {
        let code = value + 1;
        let length = 32 - code.leading_zeros();
        self.put(length - 1, 0);
        self.put(length, code);
    }

    /// Zeros up to the next byte.
    fn align(&mut self) {
        self.used = 0;
    }

    /// The NAL unit with these bits: the bit that ends them, and a 3 after any two zeros that a
    /// small byte follows, so that no start code is inside.
    fn into_nal(mut self, importance: u8, kind: u8) -> Vec<u8> {
        self.put(1, 1);
        let mut nal = Vec::with_capacity(self.bytes.len() + 8);
        nal.push(importance << 5 | kind);
        let mut zeros = 0;
        for byte in self.bytes {
            if zeros == 2 && byte <= 3 {
                nal.push(3);
                zeros = 0;
            }
            zeros = if byte == 0 { zeros + 1 } else { 0 };
            nal.push(byte);
        }
        nal
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_their_exponential_golomb_codes() {
        let mut bits = Bits::default();
        for value in [0, 1, 2, 3, 7] {
            bits.unsigned(value);
        }
        // 1 010 011 00100 0001000
        assert_eq!(bits.bytes, [0b1010_0110, 0b0100_0001, 0b0000_0000]);
        assert_eq!(bits.used, 3);
        bits.align();
        bits.put(4, 0b1010);
        assert_eq!(bits.bytes[3], 0b1010_0000);
    }

    #[test]
    fn no_start_code_is_inside_a_unit() {
        let bits = Bits { bytes: vec![0, 0, 0, 0, 0, 1, 0, 0, 4, 0, 0, 3], used: 0 };
        let nal = bits.into_nal(3, 7);
        assert_eq!(nal, [0x67, 0, 0, 3, 0, 0, 3, 0, 1, 0, 0, 4, 0, 0, 3, 3, 0x80]);
        let encoder = Encoder::new((1600, 1200), 30);
        for index in [0, 1, 255, 256, 65_535] {
            for nal in encoder.picture(index) {
                assert!(nal.windows(3).all(|three| !matches!(three, [0, 0, 0..=2])), "{index}");
            }
        }
    }

    #[test]
    fn parameter_sets_say_the_profile_and_never_change() {
        let encoder = Encoder::new((384, 192), 200);
        let sequence = encoder.sequence();
        assert_eq!(sequence[..4], [0x67, 0x42, 0xc0, 0x28]);
        assert_eq!(PROFILE_LEVEL_ID, "42C028");
        assert_eq!(encoder.picture(200)[..2], [sequence, encoder.picture_set()]);
    }

    #[test]
    fn key_pictures_come_each_so_many_and_all_carry_the_code() {
        let encoder = Encoder::new((384, 192), 4);
        let kinds: Vec<u8> =
            (0..9).filter_map(|index| encoder.picture(index).last().map(|nal| nal[0] & 31)).collect();
        assert_eq!(kinds, [5, 1, 1, 1, 5, 1, 1, 1, 5]);
        assert!(encoder.is_key(4) && !encoder.is_key(5));
        let whites = |index| (0..CODE_BLOCKS).filter(|place| luma(index, *place) == WHITE).count();
        assert_eq!((whites(0), whites(1), whites(0xffff), whites(0x1_0001)), (1, 2, 17, 2));
        let bytes = encoder.picture(1)[0].len();
        assert!((CODE_BLOCKS * 384..CODE_BLOCKS * 384 + 80).contains(&bytes), "{bytes}");
    }
}
