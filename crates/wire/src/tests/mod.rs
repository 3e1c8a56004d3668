//! Tests of the encodings.

mod dispatch;
mod event_stream;
mod json;
mod mutations;
mod properties;
mod query;
mod sigv4;
mod validation;

use crate::{Caller, Principal};
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

fn caller() -> Caller {
    Caller {
        account_id: "123456789012".to_owned(),
        region: "eu-west-1".to_owned(),
        arn: "arn:aws:iam::123456789012:root".to_owned(),
        user_id: "123456789012".to_owned(),
        principal: Principal::Root,
        request_id: "c0ffee00-0000-4000-8000-000000000000".to_owned(),
    }
}

/// Runs a future that never waits.
fn ready<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("the future waits"),
    }
}
