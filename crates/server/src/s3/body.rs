//! Bodies: received as long as the request says, sent as they are read.

use super::{Buckets, refusal};
use bytes::Bytes;
use futures::Stream;
use s3s::dto::StreamingBlob;
use s3s::stream::{ByteStream, RemainingLength};
use s3s::{S3Error, S3Result, StdError};
use std::pin::Pin;
use std::task::{Context, Poll};
use store::objects::{Algorithm, Content, ContentStream, ReceiveError, Received};

/// The most bytes of one PUT.
pub(super) const PUT_MAX: u64 = 5 << 30;

/// Receives a body of the length that the request says, with a checksum for each algorithm.
pub(super) async fn receive(
    service: &Buckets,
    body: Option<StreamingBlob>,
    length: Option<i64>,
    algorithms: &[Algorithm],
) -> S3Result<Received> {
    let length = match (&body, length.and_then(|length| u64::try_from(length).ok())) {
        (_, Some(length)) => length,
        (None, None) => 0,
        (Some(_), None) => return Err(refusal::missing_content_length()),
    };
    if length > PUT_MAX {
        return Err(refusal::entity_too_large());
    }
    let received = match body {
        Some(body) => service.objects.receive(body, algorithms).await,
        None => service.objects.receive(futures::stream::empty(), algorithms).await,
    };
    let received = received.map_err(|error| match error {
        ReceiveError::Source(error) => broken_body(&*error),
        ReceiveError::Fault(fault) => refusal::fault(&fault),
    })?;
    if received.size == length { Ok(received) } else { Err(refusal::incomplete_body()) }
}

/// Tells what is wrong with a body from the error that `s3s` breaks its stream with; their types
/// are private, their texts are all there is.
fn broken_body(error: &(dyn std::error::Error + 'static)) -> S3Error {
    let text = error.to_string();
    if text.contains("SignatureMismatch") {
        refusal::chunk_signature_mismatch()
    } else if text.contains("Sha256Mismatch") {
        refusal::payload_hash_mismatch()
    } else if text.contains("Trailer") {
        refusal::malformed_trailer()
    } else {
        tracing::debug!(error = text, "a body ended early");
        refusal::incomplete_body()
    }
}

/// The bytes of an object on their way to the client.
struct Outgoing(ContentStream);

/// Makes a body of an object's bytes.
pub(super) fn send(content: Content) -> StreamingBlob {
    StreamingBlob::new(Outgoing(content.stream()))
}

impl Stream for Outgoing {
    type Item = Result<Bytes, StdError>;

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, StdError>>> {
        Pin::new(&mut self.0).poll_next(context).map_err(|error| {
            tracing::error!(%error, "cannot read an object's blob");
            StdError::from(error)
        })
    }
}

impl ByteStream for Outgoing {
    fn remaining_length(&self) -> RemainingLength {
        usize::try_from(self.0.left())
            .map_or_else(|_| RemainingLength::unknown(), RemainingLength::new_exact)
    }
}
