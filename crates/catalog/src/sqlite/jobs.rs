//! Jobs.

use rusqlite::{Connection, Row, params};

use super::{
    accounts, convert,
    fault::{Fault, Result},
};
use crate::{
    account::AccountId,
    error::CatalogError,
    job::{Job, JobState},
    page::Cursor,
};

pub(super) fn create(connection: &Connection, job: &Job) -> Result<()> {
    let account = accounts::known(connection, &job.account)?;
    connection
        .prepare_cached(
            "INSERT INTO jobs (id, account, rule_set, \"from\", \"to\", state, cursor, counts,
                 created_at, updated_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        )?
        .execute(params![
            job.id,
            account.number,
            job.rule_set,
            job.from,
            job.to,
            convert::word(&job.state),
            job.cursor.map(String::from),
            convert::json(&job.counts),
            job.created_at,
            job.updated_at,
        ])
        .map_err(|error| {
            accounts::taken(error.into(), || format!("there is a job {} already", job.id))
        })?;
    Ok(())
}

pub(super) fn find(connection: &Connection, id: &str) -> Result<Job> {
    let mut statement = connection.prepare_cached(&format!("{SELECT} WHERE j.id = ?1"))?;
    let mut rows = statement.query([id])?;
    match rows.next()? {
        Some(row) => from_row(row),
        None => Err(CatalogError::not_found(format!("there is no job {id}")).into()),
    }
}

pub(super) fn list(
    connection: &Connection,
    account: Option<&AccountId>,
    state: Option<JobState>,
) -> Result<Vec<Job>> {
    let number = match account {
        Some(id) => Some(accounts::known(connection, id)?.number),
        None => None,
    };
    let mut statement = connection.prepare_cached(&format!(
        "{SELECT} WHERE (?1 IS NULL OR j.account = ?1) AND (?2 IS NULL OR j.state = ?2)
         ORDER BY j.job"
    ))?;
    let mut rows = statement.query(params![number, state.map(|state| convert::word(&state))])?;
    let mut jobs = Vec::new();
    while let Some(row) = rows.next()? {
        jobs.push(from_row(row)?);
    }
    Ok(jobs)
}

pub(super) fn save(connection: &Connection, job: &Job) -> Result<()> {
    let saved = connection
        .prepare_cached(
            "UPDATE jobs SET state = ?2, cursor = ?3, counts = ?4, updated_at = ?5
             WHERE id = ?1 AND state = ?6",
        )?
        .execute(params![
            job.id,
            convert::word(&job.state),
            job.cursor.map(String::from),
            convert::json(&job.counts),
            job.updated_at,
            convert::word(&JobState::Running),
        ])?;
    if saved == 0 {
        find(connection, &job.id)?;
        let message = format!("job {} is no longer running: stop working on it", job.id);
        return Err(CatalogError::conflict(message).into());
    }
    Ok(())
}

const SELECT: &str = "SELECT j.id, a.id, j.rule_set, j.\"from\", j.\"to\", j.state, j.cursor, \
     j.counts, j.created_at, j.updated_at FROM jobs j JOIN accounts a USING (account)";

fn from_row(row: &Row<'_>) -> Result<Job> {
    let cursor: Option<String> = row.get(6)?;
    let cursor: Option<Result<Cursor, _>> = cursor.map(|cursor| cursor.parse());
    let counts: String = row.get(7)?;
    Ok(Job {
        id: row.get(0)?,
        account: accounts::name(row.get(1)?)?,
        rule_set: row.get(2)?,
        from: row.get(3)?,
        to: row.get(4)?,
        state: convert::word_back(row.get(5)?, "job state")?,
        cursor: cursor.transpose().map_err(|_| Fault::Unreadable("job cursor"))?,
        counts: convert::json_back(&counts, "job counts")?,
        created_at: row.get(8)?,
        updated_at: row.get(9)?,
    })
}
