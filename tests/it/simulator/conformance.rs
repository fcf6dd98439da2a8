//! Every answer against the official descriptions of the API: names, types, enums.
//!
//! The descriptions are read from `../shared/ado-openapi` beside the project; without that folder the test says so and
//! passes. Where the wire is known to differ from them, [`DEVIATIONS`] names the place.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use adolake::simulator::{Options, Size};
use serde_json::Value;

use super::{DAY, Door};

/// Places (`definition.property`) where live answers are known to go beyond the descriptions.
const DEVIATIONS: [&str; 13] = [
    // Stubs inside pull request lists.
    "TeamProjectReference.visibility",
    "TeamProjectReference.lastUpdateTime",
    // Generic in the description; an item of git on the wire.
    "Change.item",
    // A map of properties, declared as a collection type.
    "CommentThread.properties",
    "PropertiesCollection",
    // Timeline records carry the no-value date, and their links are null.
    "TimelineRecord.lastModified",
    // Declared one level down, sent on this one too.
    "DefinitionReference.drafts",
    // Any object, declared as a text.
    "PolicyConfiguration.settings",
    // Read by clients, missing from the description of the core profile.
    "Profile.displayName",
    "Profile.publicAlias",
    "Profile.emailAddress",
    // Asked for with includeAllProperties, in the shape of the full definition.
    "BuildDefinitionReference.process",
    "BuildDefinitionReference.repository",
];

/// Properties that may be null although nothing says so; live answers do it everywhere.
const NULLABLE: bool = true;

/// The descriptions of all areas.
struct Descriptions {
    areas: BTreeMap<String, Value>,
    complaints: BTreeSet<String>,
    used: BTreeSet<&'static str>,
}

impl Descriptions {
    fn load() -> Option<Descriptions> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/ado-openapi");
        let mut areas = BTreeMap::new();
        for file in fs::read_dir(folder).ok()? {
            let path = file.ok()?.path();
            if path.extension().is_some_and(|own| own == "json") {
                let text = fs::read_to_string(&path).ok()?;
                areas.insert(
                    path.file_stem()?.to_str()?.to_owned(),
                    serde_json::from_str(&text).ok()?,
                );
            }
        }
        Some(Descriptions { areas, complaints: BTreeSet::new(), used: BTreeSet::new() })
    }

    /// Area and schema of the answer to a request, by the address template that fits best.
    fn schema(&self, method: &str, path: &str) -> Option<(String, Value)> {
        let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
        let mut best: Option<(usize, String, Value)> = None;
        for (area, description) in &self.areas {
            for (template, operations) in description["paths"].as_object()? {
                let parts: Vec<&str> = template.trim_matches('/').split('/').collect();
                let is_open = |part: &str| part.starts_with('{');
                let fits = parts.len() == segments.len()
                    && parts
                        .iter()
                        .zip(&segments)
                        .all(|(part, own)| is_open(part) || part.eq_ignore_ascii_case(own));
                let literal = parts.iter().filter(|part| !is_open(part)).count();
                let schema = &operations[method]["responses"]["200"]["schema"];
                if fits
                    && !schema.is_null()
                    && best.as_ref().is_none_or(|(most, ..)| literal > *most)
                {
                    best = Some((literal, area.clone(), schema.clone()));
                }
            }
        }
        best.map(|(_, area, schema)| (area, schema))
    }

    fn excused(&mut self, place: &str) -> bool {
        let found = DEVIATIONS.into_iter().find(|known| *known == place);
        self.used.extend(found);
        found.is_some()
    }

    /// All properties of a definition with the definition that declares each.
    fn properties(&self, area: &str, name: &str) -> BTreeMap<String, (String, Value)> {
        let definition = &self.areas[area]["definitions"][name];
        let mut all = BTreeMap::new();
        for base in definition["allOf"].as_array().into_iter().flatten() {
            if let Some(base) = base["$ref"].as_str().and_then(|text| text.rsplit('/').next()) {
                all.extend(self.properties(area, base));
            }
        }
        for (property, schema) in definition["properties"].as_object().into_iter().flatten() {
            all.insert(property.clone(), (name.to_owned(), schema.clone()));
        }
        all
    }

    /// Compares a value with a schema; `place` is `definition.property`.
    fn compare(&mut self, area: &str, schema: &Value, value: &Value, place: &str) {
        if value.is_null() && NULLABLE {
            return;
        }
        if let Some(name) = schema["$ref"].as_str().and_then(|text| text.rsplit('/').next()) {
            return self.compare_named(area, name, value, place);
        }
        let kind = schema["type"].as_str().unwrap_or(if schema["enum"].is_array() {
            "string"
        } else {
            "object"
        });
        let fits = match kind {
            "string" => value.is_string(),
            "integer" => {
                value.is_i64()
                    && (schema["format"] != "int32"
                        || value.as_i64().is_some_and(|own| i32::try_from(own).is_ok()))
            }
            "number" => value.is_number(),
            "boolean" => value.is_boolean(),
            "array" => value.is_array(),
            _ => value.is_object(),
        };
        let text = value.as_str().unwrap_or("");
        let fits = fits
            && match schema["format"].as_str() {
                Some("date-time") => chrono::DateTime::parse_from_rfc3339(text).is_ok(),
                Some("uuid") => uuid::Uuid::parse_str(text).is_ok(),
                _ => true,
            };
        let words = schema["enum"].as_array();
        let fits = fits && words.is_none_or(|words| words.contains(value));
        if !fits && !self.excused(place) {
            let value: String = value.to_string().chars().take(60).collect();
            let wanted = words.map_or(format!("{kind} {}", schema["format"]), |words| {
                format!("one of {words:?}")
            });
            self.complaints.insert(format!("{area}: {place} is {value}, not {wanted}"));
            return;
        }
        for item in value.as_array().into_iter().flatten() {
            self.compare(area, &schema["items"], item, place);
        }
        let inner = &schema["additionalProperties"];
        if inner.is_object() {
            for own in value.as_object().into_iter().flatten().map(|(_, own)| own) {
                self.compare(area, inner, own, place);
            }
        }
    }

    fn compare_named(&mut self, area: &str, name: &str, value: &Value, place: &str) {
        if ["JObject", "JToken", "ReferenceLinks"].contains(&name) || self.excused(name) {
            return;
        }
        let known = self.properties(area, name);
        let Some(object) = value.as_object() else {
            if !self.excused(place) {
                self.complaints.insert(format!("{area}: {place} is not a {name}"));
            }
            return;
        };
        for (property, own) in object {
            let place = format!("{name}.{property}");
            match known.get(property) {
                Some((declared, schema)) => {
                    let declared = format!("{declared}.{property}");
                    if !self.excused(&declared) {
                        self.compare(area, &schema.clone(), own, &declared);
                    }
                }
                None if self.excused(&place) => {}
                None => _ = self.complaints.insert(format!("{area}: {place} is not described")),
            }
        }
    }
}

#[tokio::test]
async fn answers_are_as_the_official_descriptions_say() {
    let Some(mut descriptions) = Descriptions::load() else {
        eprintln!(
            "skipped: the folder ../shared/ado-openapi with the official descriptions is not there"
        );
        return;
    };
    let door = Door::open(Options { size: Size::Small, ..Options::default() }).await;
    let mut seen = 0;
    for round in 0..2 {
        for path in addresses(&door).await {
            let version = if path.contains("/graph/users")
                || path.contains("serviceprincipals")
                || path.contains("/evaluations")
            {
                "7.1-preview.1"
            } else {
                "7.1"
            };
            let url = format!(
                "{}{}{}api-version={version}",
                door.simulator.url(),
                path,
                if path.contains('?') { '&' } else { '?' }
            );
            let answer = door.ask_url(&url).await;
            assert_eq!(answer.status(), 200, "{path}");
            let body: Value = answer.json().await.unwrap();
            let bare = path.split('?').next().unwrap();
            let (area, schema) = descriptions
                .schema("get", bare)
                .unwrap_or_else(|| panic!("{bare} is not described"));
            if schema["type"] == "array" {
                let rows =
                    body["value"].as_array().unwrap_or_else(|| panic!("{path}: no envelope"));
                assert_eq!(body["count"].as_u64(), Some(rows.len() as u64), "{path}");
                for row in rows {
                    descriptions.compare(&area, &schema["items"], row, bare);
                }
                seen += rows.len();
            } else {
                descriptions.compare(&area, &schema, &body, bare);
                seen += 1;
            }
        }
        if round == 0 {
            door.simulator.advance(7 * DAY);
        }
    }
    let unused: Vec<_> =
        DEVIATIONS.iter().filter(|known| !descriptions.used.contains(*known)).collect();
    assert!(descriptions.complaints.is_empty(), "{:#?}", descriptions.complaints);
    assert!(unused.is_empty(), "deviations that no longer occur: {unused:?}");
    assert!(seen > 2_500, "{seen}");
}

/// An address of every kind, for many objects.
async fn addresses(door: &Door) -> Vec<String> {
    let mut all = vec![
        "/contoso/_apis/projects".to_owned(),
        "/contoso/_apis/graph/users".to_owned(),
        "/contoso/_apis/graph/serviceprincipals".to_owned(),
        "/_apis/profile/profiles/me".to_owned(),
    ];
    let me = door.json("_apis/connectionData").await["authenticatedUser"].clone();
    all.push(format!("/_apis/accounts?memberId={}", me["id"].as_str().unwrap()));
    all.push(format!(
        "/contoso/_apis/graph/storagekeys/{}",
        me["subjectDescriptor"].as_str().unwrap()
    ));
    all.push(format!("/contoso/_apis/graph/descriptors/{}", me["id"].as_str().unwrap()));
    for project in door.rows("_apis/projects").await {
        let id = project["id"].as_str().unwrap();
        let base = format!("/contoso/{id}/_apis");
        all.push(format!("/contoso/_apis/projects/{id}"));
        for path in [
            "git/repositories",
            "git/deletedrepositories",
            "git/recycleBin/repositories",
            "policy/types",
            "policy/configurations",
            "build/definitions",
            "build/definitions?includeAllProperties=true",
            "build/retention",
            "build/settings",
            "pipelines",
            "build/builds?$top=150",
            "build/builds?deletedFilter=onlyDeleted&$top=50",
            "git/pullrequests",
            "git/pullrequests?searchCriteria.status=abandoned&$top=50",
        ] {
            all.push(format!("{base}/{path}"));
        }
        for policy in door.rows(&format!("{id}/_apis/policy/configurations?$top=4")).await {
            all.push(format!("{base}/policy/configurations/{}", policy["id"]));
            all.push(format!("{base}/policy/configurations/{}/revisions", policy["id"]));
        }
        for build in door.rows(&format!("{id}/_apis/build/builds?$top=8")).await {
            all.push(format!("{base}/build/builds/{}", build["id"]));
            let timeline = format!("{id}/_apis/build/builds/{}/timeline", build["id"]);
            // A run that has not begun has none of its own yet.
            if let Some(own) = door.json(&timeline).await["id"].as_str() {
                all.push(format!("{base}/build/builds/{}/timeline/{own}", build["id"]));
            }
            all.push(format!(
                "{base}/pipelines/{}/runs/{}",
                build["definition"]["id"], build["id"]
            ));
        }
        let repositories = door.rows(&format!("{id}/_apis/git/repositories")).await;
        let is_open = |repository: &&Value| repository["isDisabled"] != true;
        for repository in repositories.iter().filter(is_open).take(6) {
            let own = format!("{base}/git/repositories/{}", repository["id"].as_str().unwrap());
            all.push(own.clone());
            for path in
                ["refs", "pushes?searchCriteria.includeRefUpdates=true", "commits", "pullrequests"]
            {
                all.push(format!("{own}/{path}"));
            }
            let main = "refName=refs/heads/main";
            all.push(format!(
                "{base}/git/policy/configurations?repositoryId={}&{main}",
                repository["id"].as_str().unwrap()
            ));
        }
        let pulls = door
            .rows(&format!("{id}/_apis/git/pullrequests?searchCriteria.status=completed&$top=10"))
            .await;
        let is_readable = |pull: &&Value| {
            repositories.iter().filter(is_open).any(|own| own["id"] == pull["repository"]["id"])
        };
        for pull in pulls.iter().filter(is_readable) {
            let number = &pull["pullRequestId"];
            let own = format!(
                "{base}/git/repositories/{}/pullRequests/{number}",
                pull["repository"]["id"].as_str().unwrap()
            );
            all.push(format!("{base}/git/pullrequests/{number}"));
            for part in [
                "threads",
                "iterations",
                "iterations/1/changes",
                "commits",
                "statuses",
                "labels",
                "reviewers",
            ] {
                all.push(format!("{own}/{part}"));
            }
            all.push(format!("{base}/policy/evaluations?artifactId=vstfs:///CodeReview/CodeReviewId/{id}/{number}&includeNotApplicable=true"));
        }
    }
    all
}
