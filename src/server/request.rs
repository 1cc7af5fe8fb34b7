//! What a request must be before a route sees it, and how long the route may take.

use std::time::Instant;

use bytes::Buf;
use http::header::{self, HeaderMap, HeaderValue};
use http::{Request, Response, StatusCode, Version};
use hyper::body::{Body as _, Incoming};
use tokio::time::timeout;

use super::accept::House;
use super::body::Body;
use super::framing::Verdict;
use super::handler::time_limit;
use super::meters::Refusal;
use super::settings::Limits;
use super::wire::Watch;
use crate::clock;

/// Why a request is refused before it is read any further. The connection ends with it: what
/// comes after cannot be trusted to be a request.
struct Refused(StatusCode, &'static str);

/// The response to whatever hyper took for a request.
pub(super) async fn answer(
    house: &House,
    watch: &Watch,
    request: Request<Incoming>,
) -> Response<Body> {
    let began = clock::now();
    let (verdict, behind) = watch.next();
    let (head, body) = request.into_parts();
    let limits = &house.limits;
    let outcome = match examine(&head, verdict, behind, limits) {
        Ok(()) => read(body, limits).await,
        Err(refused) => Err(refused),
    };
    let mut close = head.headers.contains_key(header::TRANSFER_ENCODING);
    let mut response = match outcome {
        Ok(()) => {
            let limit = time_limit(&head.headers, limits.answer_time);
            match timeout(limit, house.handler.respond(&head)).await {
                Ok(response) => response,
                Err(_) => late(house, began),
            }
        }
        Err(Refused(status, text)) => {
            close = true;
            house.handler.meters().refused(reason(status));
            house.handler.refuse(status, text, began)
        }
    };
    let stream = response.body().is_stream();
    // After a stream nobody can tell a client that thinks from one that sleeps.
    if close || stream {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    watch.answered(stream);
    response
}

fn late(house: &House, began: Instant) -> Response<Body> {
    house.handler.meters().refused(Refusal::Timeout);
    house.handler.refuse(StatusCode::SERVICE_UNAVAILABLE, "it took too long", began)
}

fn reason(status: StatusCode) -> Refusal {
    match status {
        StatusCode::REQUEST_TIMEOUT => Refusal::SlowBody,
        StatusCode::PAYLOAD_TOO_LARGE
        | StatusCode::URI_TOO_LONG
        | StatusCode::TOO_MANY_REQUESTS => Refusal::TooLarge,
        _ => Refusal::Malformed,
    }
}

fn examine(
    head: &http::request::Parts,
    verdict: Option<Verdict>,
    behind: usize,
    limits: &Limits,
) -> Result<(), Refused> {
    let headers = &head.headers;
    let bad = |text| Err(Refused(StatusCode::BAD_REQUEST, text));
    match verdict {
        Some(Verdict::Fine) => {}
        Some(Verdict::Length) => return bad("contradictory lengths"),
        Some(Verdict::Host) => return bad("two hosts"),
        // hyper sees a request where there is none: whom to believe?
        None => return bad("no request"),
    }
    if head.version == Version::HTTP_11 && !headers.contains_key(header::HOST) {
        return bad("no host");
    }
    if !head.uri.path().starts_with('/') {
        return bad("no path");
    }
    let uri = head.uri.path_and_query().map_or(0, |uri| uri.as_str().len());
    if uri > limits.uri_bytes {
        return Err(Refused(StatusCode::URI_TOO_LONG, "the path is too long"));
    }
    if behind > limits.pipelined {
        return Err(Refused(StatusCode::TOO_MANY_REQUESTS, "too many requests at once"));
    }
    if has_other(headers, &header::EXPECT, "100-continue") {
        return Err(Refused(StatusCode::EXPECTATION_FAILED, "an unknown expectation"));
    }
    if has_other(headers, &header::CONTENT_ENCODING, "identity") {
        return Err(Refused(StatusCode::UNSUPPORTED_MEDIA_TYPE, "no compressed bodies"));
    }
    if has_other(headers, &header::TRANSFER_ENCODING, "chunked") {
        return bad("an unknown transfer encoding");
    }
    Ok(())
}

fn has_other(headers: &HeaderMap, name: &header::HeaderName, usual: &str) -> bool {
    let is_usual = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(usual.as_bytes());
    headers.get_all(name).iter().any(|value| !is_usual(value))
}

/// Reads the body and forgets it: no route takes one, but the next request begins behind it. What
/// is announced too long is not read at all.
async fn read(mut body: Incoming, limits: &Limits) -> Result<(), Refused> {
    let too_large = Err(Refused(StatusCode::PAYLOAD_TOO_LARGE, "the body is too long"));
    let most = limits.body_bytes as u64;
    if body.size_hint().lower() > most {
        return too_large;
    }
    let whole = async {
        let mut length = 0;
        while let Some(frame) = next_frame(&mut body).await {
            let Ok(frame) = frame else {
                return Err(Refused(StatusCode::BAD_REQUEST, "a bad body"));
            };
            length += frame.data_ref().map_or(0, |data| data.remaining()) as u64;
            if length > most {
                return too_large;
            }
        }
        Ok(())
    };
    let late = Err(Refused(StatusCode::REQUEST_TIMEOUT, "no whole body in time"));
    timeout(limits.body_time, whole).await.unwrap_or(late)
}

async fn next_frame(
    body: &mut Incoming,
) -> Option<Result<hyper::body::Frame<bytes::Bytes>, hyper::Error>> {
    std::future::poll_fn(|context| std::pin::Pin::new(&mut *body).poll_frame(context)).await
}
