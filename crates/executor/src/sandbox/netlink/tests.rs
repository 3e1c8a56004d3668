//! How ranges are spelled.

use super::Ipv4Range;

#[test]
fn ranges_share_addresses_or_do_not() {
    let range = |text: &str| text.parse::<Ipv4Range>().expect("a range");
    for (one, other, contains, overlaps) in [
        ("10.0.0.0/8", "10.1.0.0/16", true, true),
        ("10.1.0.0/16", "10.0.0.0/8", false, true),
        ("0.0.0.0/0", "192.0.2.1/32", true, true),
        ("10.0.0.0/8", "11.0.0.0/8", false, false),
        ("192.0.2.1/32", "192.0.2.1/32", true, true),
    ] {
        let (one, other) = (range(one), range(other));
        assert_eq!((one.contains(&other), one.overlaps(&other)), (contains, overlaps));
    }
}

#[test]
fn a_range_is_an_address_and_a_number_of_bits() {
    for text in ["0.0.0.0/0", "10.0.0.0/8", "100.96.0.0/14", "192.0.2.1/32"] {
        let range: Ipv4Range = text.parse().expect("a range");
        assert_eq!(range.to_string(), text);
    }
    for text in ["", "10.0.0.0", "10.0.0.1/8", "10.0.0.0/33", "10.0.0/8", "ten/8", "1.2.3.4/-1"] {
        text.parse::<Ipv4Range>().expect_err(text);
    }
}
