//! Bounded bodies.
//!
//! What goes over the limit is read on and thrown away, up to a point: a server
//! that closes a connection with unread bytes resets it, and the client sees a
//! broken pipe instead of the 413.

use std::error::Error;

use axum::body::{Body, BodyDataStream, Bytes};
use futures::{StreamExt, stream};

/// Limits' worth of bytes that are read in all before the connection is given up.
const PATIENCE: usize = 4;

/// The body went over its limit.
#[derive(Debug, thiserror::Error)]
#[error("the body is larger than {limit} bytes")]
pub(crate) struct BodyTooLarge {
    limit: usize,
}

/// `body`, failing with [`BodyTooLarge`] once it has more than `limit` bytes.
pub(crate) fn limited(body: Body, limit: usize) -> Body {
    let start = (body.into_data_stream(), 0_usize);
    Body::from_stream(stream::unfold(start, move |(mut chunks, seen)| async move {
        let chunk = match chunks.next().await? {
            Ok(chunk) => chunk,
            Err(error) => return Some((Err(error.into_inner()), (chunks, seen))),
        };
        let seen = seen.saturating_add(chunk.len());
        if seen <= limit {
            return Some((Ok::<Bytes, Box<dyn Error + Send + Sync>>(chunk), (chunks, seen)));
        }
        discard(&mut chunks, limit.saturating_mul(PATIENCE).saturating_sub(seen)).await;
        Some((Err(BodyTooLarge { limit }.into()), (chunks, seen)))
    }))
}

/// Whether [`BodyTooLarge`] is at the root of an error.
pub(crate) fn is_too_large(error: &(dyn Error + 'static)) -> bool {
    std::iter::successors(Some(error), |cause| (*cause).source())
        .any(|cause| cause.downcast_ref::<BodyTooLarge>().is_some())
}

async fn discard(chunks: &mut BodyDataStream, mut at_most: usize) {
    while let Some(Ok(chunk)) = chunks.next().await {
        let Some(left) = at_most.checked_sub(chunk.len()) else { return };
        at_most = left;
    }
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;

    use super::*;

    async fn read(size: usize, limit: usize) -> Result<usize, axum::Error> {
        let chunks = (0..size).map(|_| Ok::<_, std::io::Error>(Bytes::from_static(b"x")));
        let body = limited(Body::from_stream(stream::iter(chunks)), limit);
        to_bytes(body, usize::MAX).await.map(|bytes| bytes.len())
    }

    #[tokio::test]
    async fn a_body_may_fill_its_limit_and_no_more() {
        assert_eq!(read(8, 8).await.unwrap(), 8);
        assert!(is_too_large(&read(9, 8).await.unwrap_err()));
        assert!(is_too_large(&read(9_000, 8).await.unwrap_err()));
    }
}
