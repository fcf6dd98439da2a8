//! Bodies of answers: received and unpacked, neither beyond a limit.

use std::io::Read;

use bytes::Bytes;
use flate2::bufread::MultiGzDecoder;
use flate2::{Decompress, FlushDecompress, Status};
use reqwest::header::{CONTENT_ENCODING, HeaderMap};
use tokio::task::spawn_blocking;

use super::answer::Failure;
use super::error::Error;
use crate::task::outcome;

/// Packed bytes from which on unpacking would keep other answers waiting.
const LONG: usize = 64 << 10;

/// The window that [gzip](https://www.rfc-editor.org/rfc/rfc1952) may look back.
const MOST_WINDOW_BITS: u8 = 15;

/// Most that a body is trusted to grow by unpacking; one that grows more is moved on the way.
const GROWTH: usize = 64;

/// Receives the body of an answer as it was sent; none where it has more than `limit` bytes.
pub(super) async fn receive(
    response: &mut reqwest::Response,
    limit: usize,
) -> Result<Option<Bytes>, reqwest::Error> {
    let announced = response.content_length().and_then(|length| usize::try_from(length).ok());
    if announced.is_some_and(|length| length > limit) {
        return Ok(None);
    }
    let (mut chunks, mut length) = (Vec::new(), 0);
    while let Some(chunk) = response.chunk().await? {
        length += chunk.len();
        if length > limit {
            return Ok(None);
        }
        chunks.push(chunk);
    }
    // Most come in one piece.
    Ok(Some(if chunks.len() == 1 { chunks.swap_remove(0) } else { chunks.concat().into() }))
}

/// Undoes the content encoding of a body, gzip or none, once all of it is here: a connection is free sooner than if it
/// were undone on the way. One that ends too early or is broken may be asked for again.
pub(super) async fn unpack(
    address: &str,
    headers: &HeaderMap,
    body: Bytes,
    limit: usize,
) -> Result<Bytes, Failure> {
    match headers.get(CONTENT_ENCODING).map(|encoding| encoding.as_bytes().to_ascii_lowercase()) {
        _ if body.is_empty() => return Ok(body),
        None => return Ok(body),
        Some(encoding) if encoding == b"identity" => return Ok(body),
        Some(encoding) if encoding == b"gzip" || encoding == b"x-gzip" => {}
        Some(encoding) => {
            let content_type =
                format!("content encoding {}", String::from_utf8_lossy(&encoding).escape_debug());
            return Err(Failure::Final(Error::NotJson {
                address: address.to_owned(),
                content_type,
            }));
        }
    }
    let unpacked = if body.len() < LONG {
        inflate(&body, limit)
    } else {
        outcome(spawn_blocking(move || inflate(&body, limit)).await)
    };
    match unpacked {
        Ok(body) if body.len() > limit => {
            Err(Failure::Final(Error::TooLarge { address: address.to_owned(), limit }))
        }
        Ok(body) => Ok(body.into()),
        Err(_) => Err(Failure::Retry(Error::CutOff { address: address.to_owned() })),
    }
}

/// Unpacks up to a byte more than `limit`.
fn inflate(packed: &[u8], limit: usize) -> std::io::Result<Vec<u8>> {
    let mut body = Vec::with_capacity(announced(packed).min(packed.len() * GROWTH).min(limit) + 1);
    // Most are one member of which all finds room in one go: nothing is kept for the next.
    let mut whole = Decompress::new_gzip(MOST_WINDOW_BITS);
    if let Ok(Status::StreamEnd) = whole.decompress_vec(packed, &mut body, FlushDecompress::Finish)
        && whole.total_in() == packed.len() as u64
    {
        return Ok(body);
    }
    body.clear();
    MultiGzDecoder::new(packed).take(limit as u64 + 1).read_to_end(&mut body)?;
    Ok(body)
}

/// The unpacked size as [gzip](https://www.rfc-editor.org/rfc/rfc1952#section-2.3) tells it at the end.
fn announced(packed: &[u8]) -> usize {
    packed.last_chunk().map_or(0, |size| u32::from_le_bytes(*size) as usize)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::{Compression, write::GzEncoder};
    use reqwest::header::HeaderValue;

    use super::*;

    fn packed(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    async fn unpacked(encoding: &'static str, body: Vec<u8>, limit: usize) -> String {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static(encoding));
        match unpack("http://x/", &headers, body.into(), limit).await {
            Ok(body) => String::from_utf8(body.into()).unwrap(),
            Err(Failure::Retry(error)) => format!("again: {error}"),
            Err(Failure::Final(error)) => format!("final: {error}"),
            Err(other) => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn what_was_packed_comes_back() {
        let long: String = (0..200_000).map(|number: u32| number.to_string()).collect();
        assert!(packed(long.as_bytes()).len() > LONG);
        for text in ["{}", "", &"{} ".repeat(100_000), &long] {
            let limit = text.len();
            assert!(unpacked("GZIP", packed(text.as_bytes()), limit).await == text);
        }
        let parts = [packed(b"{\"a\":"), packed(b"1}")].concat();
        assert_eq!(unpacked("x-gzip", parts, 99).await, r#"{"a":1}"#);
        assert_eq!(unpacked("identity", b"{}".to_vec(), 99).await, "{}");
        assert_eq!(unpacked("gzip", Vec::new(), 99).await, "");
    }

    #[tokio::test]
    async fn what_cannot_be_unpacked_says_so() {
        let whole = packed(b"[1,2,3]");
        for length in 1..whole.len() {
            let told = unpacked("gzip", whole[..length].to_vec(), 99).await;
            assert!(told.starts_with("again: "), "{length}: {told}");
        }
        let told = unpacked("gzip", b"[1,2,3]".to_vec(), 99).await;
        assert!(told.starts_with("again: "), "{told}");
        let mut changed = whole.clone();
        *changed.last_mut().unwrap() ^= 1;
        assert!(unpacked("gzip", changed, 99).await.starts_with("again: "));
        assert!(unpacked("gzip", whole.clone(), 6).await.starts_with("final: "));
        let told = unpacked("br", whole, 99).await;
        assert!(told.starts_with("final: ") && told.contains("content encoding br"), "{told}");
    }
}
