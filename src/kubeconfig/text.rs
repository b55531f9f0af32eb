//! The bytes of a kubeconfig as text, by the encodings that the clients read: UTF-8, and UTF-16 with its mark.

use super::Malformed;

/// The text of a file, or in which line there is none.
pub fn text(bytes: &[u8]) -> Result<String, Malformed> {
    match bytes {
        [0xff, 0xfe, rest @ ..] => wide(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => wide(rest, u16::from_be_bytes),
        _ => match std::str::from_utf8(bytes) {
            Ok(text) => Ok(text.to_owned()),
            Err(e) => {
                let before = &bytes[..e.valid_up_to()];
                Err(Malformed::new(lines(before.split(|b| *b == b'\n').count()), "invalid UTF-8"))
            }
        },
    }
}

fn wide(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Result<String, Malformed> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    let read = String::from_utf16(&pairs.iter().map(|pair| unit(*pair)).collect::<Vec<_>>());
    match read {
        Ok(text) if rest.is_empty() => Ok(text),
        _ => Err(Malformed { line: None, why: "incomplete UTF-16".into() }),
    }
}

fn lines(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_text_names_its_line() {
        assert_eq!(text("a: ü\n".as_bytes()).unwrap(), "a: ü\n");
        assert_eq!(text(b"\xff\xfea\0:\0").unwrap(), "a:");
        assert_eq!(text(b"\xfe\xff\0a\0:").unwrap(), "a:");
        assert_eq!(text(b"a: b\n# caf\xe9\n").unwrap_err().line, Some(2));
        assert!(text(b"\xff\xfea\0:").is_err() && text(b"\xff\xfe\0\xd8").is_err());
    }
}
