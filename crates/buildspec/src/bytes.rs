//! From a file's bytes to text, as libyaml reads them: UTF-8, or UTF-16 behind a byte order mark.

use crate::limits::TEXT_BYTES_MAX;
use crate::problem::Problem;
use crate::yaml::Place;
use std::borrow::Cow;

/// The text of a buildspec's file.
///
/// # Errors
/// There is more of it than the limits allow, or it is in no encoding that a buildspec may have.
pub fn decode(bytes: &[u8]) -> Result<Cow<'_, str>, Problem> {
    if bytes.len() > TEXT_BYTES_MAX {
        return Err(Problem::text_too_large());
    }
    let wide = match bytes {
        [0xff, 0xfe, rest @ ..] => Some((rest, u16::from_le_bytes as fn([u8; 2]) -> u16)),
        [0xfe, 0xff, rest @ ..] => Some((rest, u16::from_be_bytes as fn([u8; 2]) -> u16)),
        _ => None,
    };
    let Some((rest, unit)) = wide else { return narrow(bytes) };
    let (pairs, odd) = rest.as_chunks::<2>();
    let chars = char::decode_utf16(pairs.iter().map(|pair| unit(*pair)));
    let text: Result<String, _> = chars.collect();
    match text {
        Ok(text) if odd.is_empty() => Ok(Cow::Owned(text)),
        Ok(_) | Err(_) => Err(Problem::not_utf16()),
    }
}

fn narrow(bytes: &[u8]) -> Result<Cow<'_, str>, Problem> {
    let error = match str::from_utf8(bytes) {
        Ok(text) => return Ok(Cow::Borrowed(text)),
        Err(error) => error,
    };
    let (good, bad) = bytes.split_at(error.valid_up_to());
    let good = String::from_utf8_lossy(good);
    let place = Place::of(&good, good.len()..good.len());
    Err(Problem::not_utf8(place, bad.first().copied().unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::decode;
    use crate::{TEXT_BYTES_MAX, parse};

    #[test]
    fn windows_may_write_its_wide_characters() {
        let text = "\u{feff}version: 0.2\r\nphases: {build: {commands: ['é 👩']}}\r\n";
        let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        for bytes in [&little, &big] {
            let text = decode(bytes).expect("text");
            let build = parse(&text).buildspec.and_then(|buildspec| buildspec.phases.build);
            assert_eq!(build.expect("the phase").commands, ["é 👩"]);
        }
        assert!(decode(&little[..little.len() - 1]).is_err());
        assert!(decode(&[0xff, 0xfe, 0x00, 0xd8]).is_err());
    }

    #[test]
    fn what_is_no_text_is_refused_with_its_place() {
        let problem = decode(b"version: 0.2\nphases: \xe4\n").expect_err("Latin-1");
        assert_eq!((problem.line, problem.column), (2, 9));
        assert!(problem.aws_message().contains("UTF-8"), "{}", problem.aws_message());
        assert!(decode(&vec![b' '; TEXT_BYTES_MAX]).is_ok());
        assert!(decode(&vec![b' '; TEXT_BYTES_MAX + 1]).is_err());
    }
}
