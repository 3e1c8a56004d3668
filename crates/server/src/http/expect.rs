//! Answers to those who sent `Expect: 100-continue` and wait with their body.

use axum::{
    body::{Body, Bytes},
    extract::Request,
    http::{
        HeaderValue,
        header::{CONNECTION, EXPECT},
    },
    response::Response,
};
use http_body::{Frame, SizeHint};
use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
};

/// Lets `answer` answer. Who waited for a `100 Continue` and was answered without one, because the
/// body is empty or nobody asked for it, is told that the connection ends.
///
/// botocore keeps the status line of such an answer for the next request of the same connection, and
/// then waits for a minute for what has long come. With boto3 each PUT of an object waits to be told
/// to go on, an empty one too.
pub(super) async fn answer(
    request: Request,
    answer: impl AsyncFnOnce(Request) -> Response,
) -> Response {
    let expects = request.headers().get(EXPECT);
    if !expects.is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue")) {
        return answer(request).await;
    }
    let was_asked_for = Arc::new(AtomicBool::new(false));
    let request =
        request.map(|body| Body::new(Awaited { body, was_asked_for: Arc::clone(&was_asked_for) }));
    let mut response = answer(request).await;
    if !was_asked_for.load(Ordering::Relaxed) {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// A body that its sender holds back until somebody asks for it. The server says `100 Continue` when
/// somebody does.
struct Awaited {
    body: Body,
    was_asked_for: Arc<AtomicBool>,
}

impl http_body::Body for Awaited {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        // Nobody is told to go on with nothing.
        if !self.body.is_end_stream() {
            self.was_asked_for.store(true, Ordering::Relaxed);
        }
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
