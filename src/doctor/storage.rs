//! The lake's tables, the queries on them, and the store below: read, write, and a race of conditional puts.

use std::sync::Arc;
use std::time::Duration;

use futures::future::try_join_all;

use super::Item;
use super::access::told;
use super::ask::{counted, listed};
use crate::checks::{Queries, SettingsRows, register};
use crate::hint::Hint as _;
use crate::lake::{Error, Lake};
use crate::schema::Catalog;

/// Patience with a store that does not answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// Examines queries, tables and store; the second value tells whether the tables can be read.
pub async fn storage(lake: &Lake) -> (Vec<Item>, bool) {
    let mut items = vec![queries(lake.catalog()).await];
    let (tables, is_readable) = tables(lake).await;
    items.push(tables);
    items.push(store(lake).await);
    (items, is_readable)
}

/// Plans every view and parses every check, on tables without rows.
async fn queries(catalog: &Arc<Catalog>) -> Item {
    let (item, subject) = ("queries", "adolake");
    match planned(catalog).await {
        Ok((checks, views)) => {
            let message =
                format!("{} and {} parse", counted(checks, "check"), counted(views, "view"));
            Item::ok(item, subject, message)
        }
        Err(error) => Item::problem(item, subject, told(&*error))
            .remedy("this is a bug of this build: install it anew, or report it with this message"),
    }
}

async fn planned(
    catalog: &Arc<Catalog>,
) -> Result<(usize, usize), Box<dyn std::error::Error + Send + Sync>> {
    let queries = Queries::embedded()?;
    let session = Lake::in_memory(Arc::clone(catalog))?.session().await?;
    register(&session.ctx, catalog, &queries, &SettingsRows::default()).await?;
    Ok((queries.checks().len(), queries.views().len()))
}

async fn tables(lake: &Lake) -> (Item, bool) {
    let (item, place) = ("lake-tables", lake.place());
    let states = tokio::time::timeout(PATIENCE, lake.inspect()).await;
    let Ok(states) = states else { return (silent(item, place), false) };
    let bad: Vec<&(String, Result<Option<u64>, Error>)> =
        states.iter().filter(|(_, state)| state.is_err()).collect();
    if let Some((_, Err(error))) = bad.first() {
        let names = listed(bad.iter().map(|(name, _)| name.as_str()));
        let message = format!("{names} cannot be read: {}", told(error));
        return (failed(item, place, message, error), false);
    }
    let sound = try_join_all(states.iter().map(async |(name, state)| match state {
        Ok(Some(_)) => lake.check_checkpoint(name).await,
        _ => lake.check_vacant(name).await,
    }));
    match tokio::time::timeout(PATIENCE, sound).await {
        Err(_) => return (silent(item, place), false),
        Ok(Err(error)) => return (failed(item, place, told(&error), &error), false),
        Ok(Ok(_)) => {}
    }
    let present = states.iter().filter(|(_, state)| matches!(state, Ok(Some(_)))).count();
    let message = match present {
        0 => "there are no tables yet; `adolake sync` makes them".to_owned(),
        _ => format!("{} as this version expects them", counted(present, "table")),
    };
    (Item::ok(item, place, message), true)
}

async fn store(lake: &Lake) -> Item {
    let (item, place) = ("lake-store", lake.place());
    match tokio::time::timeout(PATIENCE, lake.probe()).await {
        Ok(Ok(proof)) => {
            let message = format!(
                "reads, lists, writes and deletes; one winner in each of {} races of {} conditional puts",
                proof.keys, proof.writers
            );
            Item::ok(item, place, message)
        }
        Ok(Err(error)) => failed(item, place, told(&error), &error),
        Err(_) => silent(item, place),
    }
}

fn failed(item: &'static str, place: String, message: String, error: &Error) -> Item {
    let problem = Item::problem(item, place, message).outside(error.is_transient());
    match error.hints().into_iter().next() {
        Some(hint) => problem.remedy(hint),
        None => problem,
    }
}

fn silent(item: &'static str, place: String) -> Item {
    Item::problem(item, place, format!("the store does not answer within {} s", PATIENCE.as_secs()))
        .outside(true)
        .remedy("check `lake.url`, `lake.options` and the network, then try again")
}
