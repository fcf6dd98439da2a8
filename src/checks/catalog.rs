//! The queries: views, checks and explanations, embedded and from a folder, each once.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::error::Error;
use super::header::QueryKind;
use super::query::{Query, header_line, place};

/// The files of `queries/`, name and text, as they were when the program was built.
const VIEWS: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/views.rs"));
const CHECKS: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/checks.rs"));
const EXPLANATIONS: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/explain.rs"));

/// All views, checks and explanations, views in an order in which each stands behind those that it reads.
#[derive(Debug, Clone)]
pub struct Queries {
    views: Vec<Query>,
    checks: Vec<Query>,
    explanations: Vec<Query>,
    replacements: Vec<String>,
    is_embedded: bool,
}

impl Queries {
    /// Returns the embedded queries.
    ///
    /// # Errors
    /// Fails when one of them breaks a rule, which the tests prevent.
    pub fn embedded() -> Result<Self, Error> {
        let views = embedded(QueryKind::View)?;
        let checks = embedded(QueryKind::Check)?;
        Ok(Self {
            is_embedded: true,
            ..Self::new(views, checks, embedded(QueryKind::Explanation)?)?
        })
    }

    /// Adds to the embedded queries those of a folder: `*.sql` and `checks/*.sql` are checks, `views/*.sql` are views,
    /// `explain/*.sql` are explanations. One with the id of an embedded one stands in its place.
    ///
    /// # Errors
    /// Fails when the folder cannot be read or holds no query, and when a query breaks a rule.
    pub fn load(folder: &Path) -> Result<Self, Error> {
        std::fs::read_dir(folder)
            .map_err(|source| Error::Folder { path: folder.to_owned(), source })?;
        let mut checks = load(QueryKind::Check, folder)?.unwrap_or_default();
        checks.extend(load(QueryKind::Check, &folder.join("checks"))?.unwrap_or_default());
        let views = load(QueryKind::View, &folder.join("views"))?.unwrap_or_default();
        let explanations =
            load(QueryKind::Explanation, &folder.join("explain"))?.unwrap_or_default();
        if checks.is_empty() && views.is_empty() && explanations.is_empty() {
            return Err(Error::NoQueries { path: folder.to_owned() });
        }
        let mut replacements = Vec::new();
        let views = merged(embedded(QueryKind::View)?, views, &mut replacements)?;
        let checks = merged(embedded(QueryKind::Check)?, checks, &mut replacements)?;
        let built_in = embedded(QueryKind::Explanation)?;
        let explanations = merged(built_in, explanations, &mut replacements)?;
        Ok(Self { replacements, ..Self::new(views, checks, explanations)? })
    }

    /// Makes queries of texts by their names, as a check run stores them.
    ///
    /// # Errors
    /// Fails when a query breaks a rule.
    pub(crate) fn of_texts<'a>(
        folder: &str,
        views: impl Iterator<Item = (&'a str, &'a str)>,
        checks: impl Iterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, Error> {
        let parse =
            |kind| move |(id, text)| Query::parse(kind, &format!("{folder}/{id}.sql"), text);
        let views = views.map(parse(QueryKind::View)).collect::<Result<_, _>>()?;
        let checks = checks.map(parse(QueryKind::Check)).collect::<Result<_, _>>()?;
        Self::new(views, checks, Vec::new())
    }

    fn new(views: Vec<Query>, checks: Vec<Query>, explanations: Vec<Query>) -> Result<Self, Error> {
        let views = in_order(views)?;
        let mut checks = checks;
        let own = checks.iter_mut().filter(|check| !is_built_in(CHECKS, check.id()));
        own.for_each(|check| check.sources = sources(check, &views));
        Ok(Self { views, checks, explanations, replacements: Vec::new(), is_embedded: false })
    }

    /// Returns the names of all tables and views that checks read, directly or through views.
    pub(crate) fn read_by<'a>(&'a self, checks: &[&'a Query]) -> BTreeSet<&'a str> {
        let reads = |query: &'a Query| query.header.reads.iter().map(String::as_str);
        let mut read: BTreeSet<&str> = checks.iter().flat_map(|check| reads(check)).collect();
        // Whether what a check of one's own reads was read by a sync is asked of their record.
        read.extend(checks.iter().any(|check| !check.sources.is_empty()).then_some("sync_runs"));
        // Views stand behind what they read: backwards, every reader comes before what it reads.
        for view in self.views.iter().rev() {
            if read.contains(view.id()) {
                read.extend(reads(view));
            }
        }
        read
    }

    /// Returns what a folder put in the place of embedded queries, as sentences without a full stop.
    #[must_use]
    pub fn replacements(&self) -> &[String] {
        &self.replacements
    }

    /// Fails when a view has the name of something that is there already, which it would hide, and when one that asks
    /// all repositories reads one that does not.
    pub(crate) fn demand_sound_views(&self, is_taken: impl Fn(&str) -> bool) -> Result<(), Error> {
        match self.views.iter().find(|view| is_taken(view.id())) {
            None => demand_whole(&self.views),
            Some(view) => Err(Error::Rule {
                place: place(&view.file, header_line(&view.text, "id")),
                problem: format!("a table is called `{}`, which this view would hide", view.id()),
            }),
        }
    }

    /// Returns the views, each behind those that it reads.
    #[must_use]
    pub fn views(&self) -> &[Query] {
        &self.views
    }

    /// Returns the checks, sorted by id.
    #[must_use]
    pub fn checks(&self) -> &[Query] {
        &self.checks
    }

    /// Returns the explanations, sorted by id.
    #[must_use]
    pub fn explanations(&self) -> &[Query] {
        &self.explanations
    }

    /// Tells whether all are those that the program was built with.
    #[must_use]
    pub fn is_embedded(&self) -> bool {
        self.is_embedded
    }

    /// Returns the checks of these ids (or earlier ids), or all when none is named.
    ///
    /// # Errors
    /// Fails when there is no such check, naming those that exist.
    pub fn select(&self, ids: &[String]) -> Result<Vec<&Query>, Error> {
        if ids.is_empty() {
            return Ok(self.checks.iter().collect());
        }
        let mut wanted: BTreeMap<&str, &Query> = BTreeMap::new();
        for id in ids {
            let found = self
                .checks
                .iter()
                .find(|check| check.id() == id || check.header.formerly.contains(id))
                .ok_or_else(|| Error::NoCheck {
                    id: id.clone(),
                    known: self.checks.iter().map(|check| check.id().to_owned()).collect(),
                })?;
            wanted.insert(found.id(), found);
        }
        Ok(wanted.into_values().collect())
    }
}

fn embedded(kind: QueryKind) -> Result<Vec<Query>, Error> {
    let (files, folder) = match kind {
        QueryKind::View => (VIEWS, "views"),
        QueryKind::Check => (CHECKS, "checks"),
        QueryKind::Explanation => (EXPLANATIONS, "explain"),
    };
    files
        .iter()
        .map(|(name, text)| Query::parse(kind, &format!("queries/{folder}/{name}"), text))
        .collect()
}

/// The queries of a folder sorted by name, or none where there is no such folder.
fn load(kind: QueryKind, folder: &Path) -> Result<Option<Vec<Query>>, Error> {
    let failed = |source| Error::Folder { path: folder.to_owned(), source };
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|extension| extension == "sql") {
            files.push(path);
        }
    }
    files.sort();
    let queries = files
        .iter()
        .map(|path| {
            let text = std::fs::read_to_string(path)
                .map_err(|source| Error::Folder { path: path.clone(), source })?;
            Query::parse(kind, &path.to_string_lossy(), &text)
        })
        .collect::<Result<Vec<_>, _>>()?;
    Ok(Some(queries))
}

fn is_built_in(embedded: &[(&str, &str)], id: &str) -> bool {
    embedded.iter().any(|(file, _)| file.trim_end_matches(".sql") == id)
}

/// Returns what a check reads, directly or through views that are not built in.
fn sources(check: &Query, views: &[Query]) -> BTreeSet<String> {
    let mut sources: BTreeSet<String> = check.header.reads.iter().cloned().collect();
    // Views stand behind what they read: backwards, every reader comes before what it reads.
    for view in views.iter().rev().filter(|view| !is_built_in(VIEWS, view.id())) {
        if sources.contains(view.id()) {
            sources.extend(view.header.reads.iter().cloned());
        }
    }
    sources
}

/// Adds queries to the embedded ones, in order of their ids; those with the same id take their place.
fn merged(
    embedded: Vec<Query>,
    own: Vec<Query>,
    replacements: &mut Vec<String>,
) -> Result<Vec<Query>, Error> {
    let mut all: BTreeMap<String, (Query, bool)> =
        embedded.into_iter().map(|query| (query.header.id.clone(), (query, false))).collect();
    for query in own {
        let (id, file) = (query.header.id.clone(), query.file.clone());
        match all.insert(id.clone(), (query, true)) {
            None => {}
            Some((_, false)) => {
                replacements.push(format!("`{file}` stands in place of the built-in `{id}`"));
            }
            Some((other, true)) => {
                let place = place(&file, header_line(&other.text, "id"));
                let problem = format!("`{id}` is also in `{}`", other.file);
                return Err(Error::Rule { place, problem });
            }
        }
    }
    Ok(all.into_values().map(|(query, _)| query).collect())
}

/// Sorts views so that each stands behind those that it reads; by id where that leaves a choice.
fn in_order(views: Vec<Query>) -> Result<Vec<Query>, Error> {
    let mut waiting: BTreeMap<String, Query> =
        views.into_iter().map(|view| (view.header.id.clone(), view)).collect();
    let mut ordered = Vec::with_capacity(waiting.len());
    while !waiting.is_empty() {
        let ready = waiting
            .values()
            .find(|view| !view.header.reads.iter().any(|read| waiting.contains_key(read)))
            .map(|view| view.header.id.clone());
        match ready.and_then(|id| waiting.remove(&id)) {
            Some(view) => ordered.push(view),
            None => return Err(Error::Circle { ids: circle(&waiting) }),
        }
    }
    Ok(ordered)
}

/// A view that asks all repositories stands before slices are made: so must all views that it reads.
fn demand_whole(views: &[Query]) -> Result<(), Error> {
    let is_sliced =
        |id: &&String| views.iter().any(|view| view.id() == id.as_str() && !view.header.is_whole);
    for view in views.iter().filter(|view| view.header.is_whole) {
        if let Some(read) = view.header.reads.iter().find(is_sliced) {
            let problem =
                format!("says `slices: none` and reads the view `{read}`, which must say so too");
            let place = place(&view.file, header_line(&view.text, "slices"));
            return Err(Error::Rule { place, problem });
        }
    }
    Ok(())
}

/// One circle among views of which each reads another.
fn circle(waiting: &BTreeMap<String, Query>) -> Vec<String> {
    let mut path: Vec<String> = waiting.keys().next().cloned().into_iter().collect();
    while let Some(next) = path
        .last()
        .and_then(|id| waiting.get(id))
        .and_then(|view| view.header.reads.iter().find(|read| waiting.contains_key(*read)))
    {
        let start = path.iter().position(|id| id == next);
        path.push(next.clone());
        if let Some(start) = start {
            return path.split_off(start);
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(id: &str, reads: &str) -> Result<Query, Error> {
        let from = reads.replace(',', ", ");
        let text = format!(
            "-- id: {id}\n-- title: t\n-- grain: g\n-- reads: {reads}\n\nselect 1 as one from {from}\n"
        );
        Query::parse(QueryKind::View, &format!("{id}.sql"), &text)
    }

    #[test]
    fn views_stand_behind_what_they_read() {
        let views =
            vec![view("a", "b,users").unwrap(), view("b", "c").unwrap(), view("c", "t").unwrap()];
        let ids: Vec<String> =
            in_order(views).unwrap().into_iter().map(|view| view.header.id).collect();
        assert_eq!(ids, ["c", "b", "a"]);
    }

    #[test]
    fn circles_are_errors() {
        let views = vec![view("a", "b").unwrap(), view("b", "c").unwrap(), view("c", "b").unwrap()];
        let error = in_order(views).unwrap_err().to_string();
        assert_eq!(error, "views read each other in a circle: b -> c -> b");
    }

    #[test]
    fn a_view_of_all_repositories_reads_no_view_of_some() {
        let mut views = vec![view("a", "t").unwrap(), view("b", "a").unwrap()];
        views[1].header.is_whole = true;
        let error = demand_whole(&views).unwrap_err().to_string();
        let told = "says `slices: none` and reads the view `a`, which must say so too";
        assert_eq!(error, format!("b.sql: {told}"));
        views[0].header.is_whole = true;
        demand_whole(&views).unwrap();
    }

    #[test]
    fn the_embedded_queries_keep_the_rules() {
        Queries::embedded().unwrap();
    }
}
