//! Grants as conditions: the same decision as `attune_domain::access` makes, which the
//! conformance tests compare with it.

use attune_domain::access::{Constraints, KeysSeen, OwnerRelation};
use attune_domain::key::KeyFilter;
use attune_domain::owner::OwnerType;
use sqlx::QueryBuilder;

use super::super::engine::Engine;

/// Narrows a list of keys to what the filter shows.
pub(super) fn push(sql: &mut QueryBuilder<Engine>, filter: &KeyFilter) {
    sql.push(" AND (FALSE");
    for seen in &filter.seen {
        sql.push(" OR (");
        push_seen(sql, seen);
        sql.push(")");
    }
    sql.push(")");
    if let Some(kind) = filter.owner_type {
        sql.push(" AND owner_type = ").push_bind(kind.as_str());
    }
    if let Some(owner) = &filter.owner {
        sql.push(" AND owner = ").push_bind(owner.clone());
    }
}

fn push_seen(sql: &mut QueryBuilder<Engine>, seen: &KeysSeen) {
    match &seen.within {
        Some(constraints) => push_constraints(sql, seen, constraints),
        None => {
            sql.push("owner_identity IS NULL OR owner_identity = ").push_bind(seen.reader.0);
        }
    }
}

fn push_constraints(sql: &mut QueryBuilder<Engine>, seen: &KeysSeen, constraints: &Constraints) {
    sql.push("TRUE");
    push_among(sql, "ref", constraints.refs.as_deref());
    push_among(sql, "pack_ref", constraints.pack_refs.as_deref());
    push_among(sql, "owner", constraints.owner_refs.as_deref());
    let kinds = constraints.owner_types.as_deref();
    let kinds = kinds.map(|kinds| kinds.iter().map(|kind| kind_text(*kind)).collect::<Vec<_>>());
    push_among(sql, "owner_type", kinds.as_deref());
    match constraints.owner {
        None | Some(OwnerRelation::Any) => {}
        Some(OwnerRelation::Own) => {
            sql.push(" AND owner_identity = ").push_bind(seen.reader.0);
        }
        Some(OwnerRelation::Nobodys) => {
            sql.push(" AND owner_identity IS NULL");
        }
    }
    if let Some(encrypted) = constraints.encrypted {
        sql.push(" AND encrypted = ").push_bind(encrypted);
    }
}

fn kind_text(kind: OwnerType) -> String {
    kind.as_str().to_owned()
}

/// A list without values matches nothing.
fn push_among(sql: &mut QueryBuilder<Engine>, column: &'static str, allowed: Option<&[String]>) {
    let Some(allowed) = allowed else { return };
    if allowed.is_empty() {
        sql.push(" AND FALSE");
        return;
    }
    sql.push(" AND ").push(column).push(" IN (");
    let mut texts = sql.separated(", ");
    for text in allowed {
        texts.push_bind(text.clone());
    }
    sql.push(")");
}
