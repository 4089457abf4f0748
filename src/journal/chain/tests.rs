use super::listed;

/// Chains that stand were made with the formatter's text.
#[test]
fn a_digest_is_listed_as_the_formatter_lists_it() {
    for step in [0_u8, 1, 7, 0x5b] {
        let mut digest = [0xff_u8; 32];
        let next = |byte: &u8| byte.wrapping_add(step);
        for place in 1..digest.len() {
            digest[place] = next(&digest[place - 1]);
        }
        assert_eq!(listed(&digest), format!("{digest:02x?}"));
    }
}
