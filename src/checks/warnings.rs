//! What the reader of a check run should know beside its verdicts: what is hidden, and what settings do not fit.

use datafusion::arrow::array::AsArray;
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::DataType;
use datafusion::prelude::SessionContext;

use super::error::Error;
use super::instant::instant_text;
use super::params::Period;
use super::settings::Repository;
use crate::config::Settings;

/// Repositories in scope that no answer lists any more, and that nobody acknowledged.
const INVISIBLE: &str = "\
    select concat('repository `', r.organization, '/', r.project, '/', r.name, '` can no longer be seen, the last time was ', \
        cast(r.last_visible_at as varchar), '; give the identity access, or set `gone-since`') \
    from repositories as r join settings_in_force as s \
        on s.organization = r.organization and s.repository_id = r.repository_id \
    where s.in_scope and s.gone_since is null and r.deleted_at is null and r.last_visible_at is not null \
    order by 1";

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
    }
    for own in &settings.overrides {
        let fits = |one: &Repository| {
            let path = format!("{}/{}/{}", one.organization, one.project, one.repository);
            own.glob.matches(&path.to_lowercase())
        };
        if !all.iter().any(fits) {
            let pattern = &own.pattern;
            warnings.push(format!(
                "`[[repository]]` with match `{pattern}` fits no repository that was read"
            ));
        }
    }
    warnings.extend(ask(context, EXCEPTIONS_OF_NOTHING).await?);
    warnings.extend(ask(context, INVISIBLE).await?);
    Ok(warnings)
}

/// The texts that a query answers.
async fn ask(context: &SessionContext, sql: &str) -> Result<Vec<String>, Error> {
    let failed = || Error::engine("cannot read what to warn of");
    let frame = context.sql(sql).await.map_err(failed())?;
    let mut texts = Vec::new();
    for batch in frame.collect().await.map_err(failed())? {
        let column =
            cast(batch.column(0), &DataType::Utf8).map_err(|error| failed()(error.into()))?;
        texts.extend(column.as_string::<i32>().iter().flatten().map(str::to_owned));
    }
    Ok(texts)
}
