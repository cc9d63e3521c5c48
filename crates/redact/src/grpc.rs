//! gRPC's framing of one message, as OTLP exporters send theirs.
//!
//! ```text
//! message = compressed (1): 0 or 1 ‖ length (4) ‖ bytes
//! ```
//!
//! Source: "gRPC over HTTP2", Length-Prefixed-Message. An export is one message; bodies of several are none of ours.

/// The content type of a message by itself.
pub(crate) const PROTOBUF: &str = "application/x-protobuf";

/// What stands before a message.
pub(crate) const PREFIX: usize = 5;

/// The only message of a body that says it is gRPC, if it is not compressed.
pub(crate) fn only_message<'b>(body: &'b [u8], content_type: Option<&str>) -> Option<&'b [u8]> {
    message(body, content_type).filter(|_| body[0] == 0)
}

/// The same, where it is compressed.
pub(crate) fn only_compressed<'b>(body: &'b [u8], content_type: Option<&str>) -> Option<&'b [u8]> {
    message(body, content_type).filter(|_| body[0] == 1)
}

fn message<'b>(body: &'b [u8], content_type: Option<&str>) -> Option<&'b [u8]> {
    let essence = content_type?.split(';').next()?.trim().to_ascii_lowercase();
    let told = matches!(&essence[..], "application/grpc" | "application/grpc+proto");
    let (prefix, message) = body.split_at_checked(PREFIX).filter(|_| told)?;
    let length = u32::from_be_bytes(prefix[1..].try_into().ok()?);
    (usize::try_from(length) == Ok(message.len())).then_some(message)
}

/// A message with what stands before it.
pub(crate) fn framed(message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).expect("bodies are bounded to 4 GiB");
    [&[0][..], &length.to_be_bytes(), message].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_message_is_told_from_several_and_from_other_bodies() {
        let body = framed(b"abc");
        let grpc = Some("application/grpc+proto; v=1");
        assert_eq!(only_message(&body, grpc), Some(&b"abc"[..]));
        assert_eq!(only_message(&framed(b""), Some("application/grpc")), Some(&b""[..]));
        assert_eq!(only_message(&body, Some("application/x-protobuf")), None);
        assert_eq!(only_message(&body[..7], grpc), None);
        assert_eq!(only_message(&[body.clone(), body.clone()].concat(), grpc), None);
        let mut compressed = body;
        compressed[0] = 1;
        assert_eq!(only_message(&compressed, grpc), None);
        assert_eq!(only_compressed(&compressed, grpc), Some(&b"abc"[..]));
    }
}
