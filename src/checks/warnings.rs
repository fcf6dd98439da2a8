//! What the reader of a check run should know beside its verdicts: what is hidden, and what settings do not fit.

use std::collections::BTreeSet;

use datafusion::arrow::array::AsArray;
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::prelude::SessionContext;

use super::error::Error;
use super::instant::instant_text;
use super::params::{Period, timestamp};
use super::query::Query;
use super::settings::Repository;
use super::unread::unread;
use crate::config::Settings;
use crate::glob::Glob;

/// Repositories in scope that no answer lists any more, and that nobody acknowledged.
const INVISIBLE: &str = "\
    select concat('repository `', r.organization, '/', r.project, '/', r.name, '` can no longer be seen, the last time was ', \
        cast(r.last_visible_at as varchar), '; give the identity access, or set `gone-since`') \
    from repositories as r join settings_in_force as s \
        on s.organization = r.organization and s.repository_id = r.repository_id \
    where s.in_scope and s.gone_since is null and r.deleted_at is null and r.last_visible_at is not null \
    order by 1";

/// Repositories that are told to be gone, and are there.
const NOT_GONE: &str = "\
    select concat('`gone-since` is set for `', r.organization, '/', r.project, '/', r.name, '`, which can be seen') \
    from repositories as r join settings_in_force as s \
        on s.organization = r.organization and s.repository_id = r.repository_id \
    where s.in_scope and s.gone_since is not null and r.deleted_at is null and r.last_visible_at is null \
    order by 1";

/// Pull requests of the period whose repository no sync has read: no settings apply to them, so no check judges them.
const HOMELESS: &str = "\
    select concat('`', p.organization, '`: no sync has read the repository of ', cast(count(*) as varchar), ' merged pull request', \
        case when count(*) = 1 then '' else 's' end, ', which no check judges; run `adolake sync`') \
    from pull_requests as p left anti join repositories as r \
        on r.organization = p.organization and r.repository_id = p.repository_id \
    where p.status = 'completed' and p.closed_at between $period_from and $period_to \
        and p.organization in (select organization from settings_in_force) \
    group by p.organization \
    order by p.organization";

/// Organizations whose users could not be read at the last sync that asked for them.
const PEOPLE_UNREAD: &str = "\
    with readings as ( \
        select organization, last_value(status order by started_at, window_to, run_id) as status \
        from sync_runs where resource = 'users' and status <> 'skipped' group by organization \
    ) \
    select concat('`', organization, '`: the users could not be read, so that two accounts are of one person is known only from \
        what pull requests say; does the token have Graph (Read)?') \
    from readings \
    where status = 'unreadable' and organization in (select organization from settings_in_force where in_scope) \
    order by organization";

/// Exceptions whose number or commit is not in the lake; globs may fit later.
const EXCEPTIONS_OF_NOTHING: &str = "\
    with \
    named as ( \
        select e.exception_index, s.organization, s.repository_id, \
            try_cast(e.pull_request_pattern as bigint) as number, e.commit_pattern \
        from exceptions_in_force as e join settings_in_force as s \
            on s.organization = e.organization \
            and glob_match(lower(e.repository_pattern), lower(concat(s.organization, '/', s.project, '/', s.repository))) \
    ), \
    fitting as ( \
        select n.exception_index from named as n join pull_requests as p \
            on p.organization = n.organization and p.repository_id = n.repository_id and p.pull_request_id = n.number \
        union \
        select n.exception_index from named as n join pushes as p \
            on p.organization = n.organization and p.repository_id = n.repository_id and p.new_commit = n.commit_pattern \
    ) \
    select concat('exception `', e.pattern, '` names nothing that was read; look for a slip of the pen') \
    from exceptions_in_force as e left anti join fitting as f on f.exception_index = e.exception_index \
    where strpos(coalesce(e.pull_request_pattern, e.commit_pattern), '*') = 0 \
        and glob_match(lower(split_part(e.repository_pattern, '/', 1)), lower(e.organization)) \
    group by e.exception_index, e.pattern \
    order by e.exception_index";

/// The lists of `service-identities` in force.
const SERVICE_IDENTITIES: &str =
    "select distinct service_identities_json from settings_in_force where in_scope order by 1";

/// Somebody whose name a list of patterns fits.
const FITTING: &str = "\
    select name from ( \
        select principal_name as name from users union all select mail_address from users \
        union all select unique_name from pull_request_reviewers \
        union all select author_unique_name from pull_requests \
    ) where path_match($patterns, name) limit 1";

/// Returns sentences, without a full stop; `all` are the repositories of the whole lake, also those not judged.
///
/// # Errors
/// Fails when the lake cannot be read.
pub(super) async fn warnings(
    context: &SessionContext,
    settings: &Settings,
    period: &Period,
    all: &[Repository],
) -> Result<Vec<String>, Error> {
    let mut warnings = Vec::new();
    if period.start_at > period.as_of {
        warnings.push(format!(
            "the start date {} lies after the last sync, {}: nothing is judged yet",
            instant_text(period.start_at),
            instant_text(period.as_of)
        ));
    } else if period.from > period.to {
        warnings.push(format!(
            "the period begins at {}, after what is judged ends, {}: nothing is judged",
            instant_text(period.from),
            instant_text(period.to)
        ));
    }
    let fits_none = |glob: &Glob| {
        !all.iter().any(|one| {
            let path = format!("{}/{}/{}", one.organization, one.project, one.repository);
            glob.matches(&path.to_lowercase())
        })
    };
    for own in &settings.overrides {
        if fits_none(&own.glob) {
            let pattern = &own.pattern;
            warnings.push(format!(
                "`[[repository]]` with match `{pattern}` fits no repository that was read"
            ));
        }
    }
    for exception in &settings.exceptions {
        let (pattern, subject) = (&exception.pattern, &exception.subject);
        if settings.end_of_day(exception.expires) <= period.start_at {
            let expires = exception.expires;
            warnings.push(format!(
                "exception `{pattern}` expired on {expires}, before the start date: it covers nothing"
            ));
        }
        // Those without a glob are looked for one by one.
        let what = subject.pull_request_pattern.as_ref().or(subject.commit_pattern.as_ref());
        let glob = Glob::new(&subject.repository_pattern.to_lowercase());
        if what.is_some_and(|what| what.contains('*')) && glob.is_ok_and(|glob| fits_none(&glob)) {
            warnings.push(format!("exception `{pattern}` fits no repository that was read"));
        }
    }
    for pattern in service_identities(context).await? {
        let list = serde_json::json!([pattern]).to_string();
        let fitting =
            ask_with(context, FITTING, vec![("patterns", ScalarValue::from(list))]).await?;
        if fitting.is_empty() {
            warnings.push(format!(
                "`service-identities` names `{pattern}`, which fits nobody that was read"
            ));
        }
    }
    warnings.extend(ask(context, EXCEPTIONS_OF_NOTHING).await?);
    let bounds = [("period_from", period.from), ("period_to", period.to)]
        .map(|(name, at)| (name, timestamp(at)));
    warnings.extend(ask_with(context, HOMELESS, bounds.into()).await?);
    for query in [PEOPLE_UNREAD, INVISIBLE, NOT_GONE] {
        warnings.extend(ask(context, query).await?);
    }
    Ok(warnings)
}

/// Returns a sentence for each table that a check of one's own reads and no sync has read in full.
///
/// # Errors
/// Fails when the lake cannot be read.
pub(super) async fn distrusted(
    context: &SessionContext,
    checks: &[&Query],
) -> Result<Vec<String>, Error> {
    let mut warnings = Vec::new();
    for check in checks {
        for (organization, tables) in unread(context, check).await? {
            let told = |table: &String| {
                format!(
                    "`{}` reads table `{table}`, which no sync of `{organization}` has read in full: what would pass is unknown",
                    check.id()
                )
            };
            warnings.extend(tables.iter().map(told));
        }
    }
    Ok(warnings)
}

/// The patterns of `service-identities`, but those that take somebody out again.
async fn service_identities(context: &SessionContext) -> Result<BTreeSet<String>, Error> {
    let lists = ask(context, SERVICE_IDENTITIES).await?;
    let patterns =
        lists.iter().flat_map(|list| serde_json::from_str::<Vec<String>>(list).unwrap_or_default());
    Ok(patterns.filter(|pattern| !pattern.starts_with('!')).collect())
}

/// The texts that a query answers.
async fn ask(context: &SessionContext, sql: &str) -> Result<Vec<String>, Error> {
    ask_with(context, sql, Vec::new()).await
}

async fn ask_with(
    context: &SessionContext,
    sql: &str,
    values: Vec<(&str, ScalarValue)>,
) -> Result<Vec<String>, Error> {
    let failed = || Error::engine("cannot read what to warn of");
    let frame = context.sql(sql).await.map_err(failed())?;
    let frame = frame.with_param_values(values).map_err(failed())?;
    let mut texts = Vec::new();
    for batch in frame.collect().await.map_err(failed())? {
        let column =
            cast(batch.column(0), &DataType::Utf8).map_err(|error| failed()(error.into()))?;
        texts.extend(column.as_string::<i32>().iter().flatten().map(str::to_owned));
    }
    Ok(texts)
}
