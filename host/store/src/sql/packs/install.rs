//! Installing a pack version: archive, pack, actions and permission sets in one commit.

use std::time::Duration;

use attune_domain::clock::Timestamp;
use attune_domain::id::TenantId;
use attune_domain::pack::{Pack, PackArchive, PackInstall};
use attune_domain::store::StoreResult;
use sqlx::query;

use super::super::engine::{Connection, lock};
use super::super::rows::micros;
use super::super::{actions, permissions};
use super::{create, own, replace, taken};
use crate::error::Stored;

/// How long the files of a version are kept after no pack names it any more: longer than
/// any run that began with it.
const RETIRED_KEPT: Duration = Duration::from_hours(24);

pub(super) async fn install(
    connection: &mut Connection,
    tenant: TenantId,
    install: PackInstall,
    now: Timestamp,
) -> StoreResult<Pack> {
    let PackInstall { pack: new, actions, permission_sets, archive, force } = install;
    let digest = archive.digest.clone();
    // A sweep must not see the archives without the pack that is about to name one.
    lock(connection, "pack_version").await?;
    let installed = own(connection, tenant, &new.reference).await?;
    let pack = match installed {
        Some(_) if !force => return Err(taken(&new.reference)),
        Some(_) => replace(connection, tenant, &new, Some(&digest), now).await?,
        None => create(connection, tenant, &new, Some(&digest), now).await?,
    };
    keep_archive(connection, tenant, archive, now).await?;
    actions::install_all(connection, &pack, actions, now).await?;
    let kept: Vec<String> = permission_sets.iter().map(|set| set.reference.clone()).collect();
    permissions::delete_others(connection, tenant, pack.id, &kept).await?;
    for set in permission_sets {
        permissions::install(connection, tenant, pack.id, set).await?;
    }
    sweep_archives(connection, now).await?;
    Ok(pack)
}

async fn keep_archive(
    connection: &mut Connection,
    tenant: TenantId,
    archive: PackArchive,
    now: Timestamp,
) -> StoreResult<()> {
    query(
        "INSERT INTO pack_version (tenant, digest, created, archive) VALUES ($1, $2, $3, $4)
         ON CONFLICT (tenant, digest) DO UPDATE SET retired = NULL",
    )
    .bind(tenant.0)
    .bind(archive.digest)
    .bind(micros(now))
    .bind(Vec::from(archive.bytes))
    .execute(connection)
    .await
    .stored()?;
    Ok(())
}

/// Marks the versions that no pack names any more, and drops those marked long ago.
async fn sweep_archives(connection: &mut Connection, now: Timestamp) -> StoreResult<()> {
    query(
        "UPDATE pack_version SET retired = $1
         WHERE retired IS NULL AND NOT EXISTS (SELECT 1 FROM pack
             WHERE pack.tenant = pack_version.tenant AND pack.digest = pack_version.digest)",
    )
    .bind(micros(now))
    .execute(&mut *connection)
    .await
    .stored()?;
    query("DELETE FROM pack_version WHERE retired < $1")
        .bind(micros(now - RETIRED_KEPT))
        .execute(connection)
        .await
        .stored()?;
    Ok(())
}
