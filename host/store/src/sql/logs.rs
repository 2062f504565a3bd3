//! What runs wrote to stdout and stderr, in chunks.

use attune_domain::id::{ExecutionId, LeaseId, TenantId};
use attune_domain::runner::Stream;
use attune_domain::store::{LogChunk, StoreError, StoreResult};
use bytes::Bytes;
use sqlx::query;

use super::engine::{Connection, Pool};
use super::rows::Fields;
use super::workers::within;
use crate::error::{Stored, corrupt};

/// A part of a stream, in bytes.
#[derive(Clone, Copy)]
pub(crate) struct Range {
    pub(crate) offset: u64,
    pub(crate) limit: u64,
}

/// Keeps chunks; one that is there already is written over, so that a call may be repeated.
/// `Conflict` when the tenant has no such execution, or `fence` keeps the caller out.
pub(crate) async fn append(
    connection: &mut Connection,
    tenant: TenantId,
    id: ExecutionId,
    fence: Option<LeaseId>,
    log: Vec<LogChunk>,
) -> StoreResult<()> {
    for chunk in log {
        let done = query(concat!(
            "INSERT INTO execution_log (tenant, execution, stream, start_offset, bytes)
             SELECT tenant, id, $3, $4, $5 FROM execution WHERE id = $1 AND tenant = $2 AND ",
            within!("$6"),
            " ON CONFLICT (execution, stream, start_offset) DO UPDATE SET bytes = excluded.bytes",
        ))
        .bind(id.0)
        .bind(tenant.0)
        .bind(chunk.stream.as_str())
        .bind(position(chunk.offset))
        .bind(Vec::from(chunk.bytes))
        .bind(fence.map(|lease| lease.0))
        .execute(&mut *connection)
        .await
        .stored()?;
        // The first chunk already shows it: nothing has been changed then.
        if done.rows_affected() == 0 {
            return Err(StoreError::Conflict);
        }
    }
    Ok(())
}

/// Drops the output of an earlier start.
pub(crate) async fn delete(
    connection: &mut Connection,
    tenant: TenantId,
    id: ExecutionId,
) -> StoreResult<()> {
    query("DELETE FROM execution_log WHERE execution = $1 AND tenant = $2")
        .bind(id.0)
        .bind(tenant.0)
        .execute(connection)
        .await
        .stored()?;
    Ok(())
}

/// The stored bytes of a range, as far as they follow each other without a gap.
pub(crate) async fn read(
    readers: &Pool,
    tenant: TenantId,
    id: ExecutionId,
    stream: Stream,
    range: Range,
) -> StoreResult<Bytes> {
    // Begins with the chunk that holds the first byte, so that following a long log does
    // not read it from its start each time.
    let rows = query(
        "SELECT execution, start_offset, bytes FROM execution_log
         WHERE execution = $1 AND tenant = $2 AND stream = $3 AND start_offset < $5
             AND start_offset >= COALESCE((SELECT MAX(start_offset) FROM execution_log
                 WHERE execution = $1 AND tenant = $2 AND stream = $3 AND start_offset <= $4), 0)
         ORDER BY start_offset",
    )
    .bind(id.0)
    .bind(tenant.0)
    .bind(stream.as_str())
    .bind(position(range.offset))
    .bind(position(range.offset.saturating_add(range.limit)))
    .fetch_all(readers)
    .await
    .stored()?;
    let mut read = Vec::new();
    for row in &rows {
        let mut fields = Fields::of(row);
        let execution = fields.table("execution_log")?;
        let start = u64::try_from(fields.get::<i64>()?);
        let start = start.map_err(|problem| corrupt("execution_log", execution, problem))?;
        if !take(&mut read, range, start, fields.get()?) {
            break;
        }
    }
    Ok(Bytes::from(read))
}

/// Adds what `chunk`, which begins at `start`, holds of the range; false once no more can follow.
fn take(read: &mut Vec<u8>, range: Range, start: u64, chunk: &[u8]) -> bool {
    let next = range.offset + read.len() as u64;
    let Some(skip) = next.checked_sub(start) else { return false };
    let missing = usize::try_from(range.limit).unwrap_or(usize::MAX) - read.len();
    let skip = usize::try_from(skip).unwrap_or(usize::MAX).min(chunk.len());
    let end = skip.saturating_add(missing).min(chunk.len());
    read.extend_from_slice(&chunk[skip..end]);
    true
}

/// Offsets beyond what the column can hold are as good as its end.
fn position(offset: u64) -> i64 {
    i64::try_from(offset).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assembled(range: Range, chunks: &[(u64, &str)]) -> String {
        let mut read = Vec::new();
        for (start, chunk) in chunks {
            if !take(&mut read, range, *start, chunk.as_bytes()) {
                break;
            }
        }
        String::from_utf8(read).unwrap()
    }

    #[test]
    fn a_range_is_cut_out_of_its_chunks() {
        let chunks = [(0, "abc"), (3, "def"), (6, "ghi")];
        assert_eq!(assembled(Range { offset: 2, limit: 5 }, &chunks), "cdefg");
        assert_eq!(assembled(Range { offset: 0, limit: 99 }, &chunks), "abcdefghi");
        assert_eq!(assembled(Range { offset: 9, limit: 9 }, &chunks), "");
    }

    #[test]
    fn nothing_is_read_beyond_a_gap() {
        assert_eq!(assembled(Range { offset: 0, limit: 9 }, &[(0, "abc"), (5, "f")]), "abc");
        assert_eq!(assembled(Range { offset: 0, limit: 9 }, &[(2, "c")]), "");
    }

    #[test]
    fn overlapping_chunks_are_read_once() {
        assert_eq!(assembled(Range { offset: 0, limit: 9 }, &[(0, "abc"), (1, "bcd")]), "abcd");
    }
}
