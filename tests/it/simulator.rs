//! The simulated Azure DevOps from its door: manners, lists, evolution, faults, examples.

mod conformance;
mod lists;
mod manners;
mod world;

use std::time::Duration;

use adolake::simulator::{Options, Simulator, Size};
use reqwest::{Client, Response, redirect::Policy};
use serde_json::Value;

/// A simulator and a client that follows nothing by itself.
struct Door {
    simulator: Simulator,
    client: Client,
}

/// One day.
const DAY: Duration = Duration::from_secs(86_400);

impl Door {
    /// Opens a tiny organization.
    async fn tiny() -> Door {
        Door::open(Options::default()).await
    }

    /// Opens a small organization.
    async fn small() -> Door {
        Door::open(Options { size: Size::Small, ..Options::default() }).await
    }

    /// Opens what is asked for.
    async fn open(options: Options) -> Door {
        let simulator = Simulator::start(options).await.unwrap();
        let client = Client::builder().redirect(Policy::none()).build().unwrap();
        Door { simulator, client }
    }

    /// Asks for an address below the organization; `api-version` is added where it is not there.
    async fn ask(&self, path: &str) -> Response {
        let url = format!("{}/{path}", self.simulator.organization_url());
        self.ask_url(&url).await
    }

    /// Asks for a whole address.
    async fn ask_url(&self, url: &str) -> Response {
        let url = if url.contains("api-version") {
            url.to_owned()
        } else {
            format!("{url}{}api-version=7.1", if url.contains('?') { '&' } else { '?' })
        };
        self.client.get(url).basic_auth("", Some(self.simulator.token())).send().await.unwrap()
    }

    /// The JSON at an address below the organization.
    async fn json(&self, path: &str) -> Value {
        let answer = self.ask(path).await;
        assert_eq!(answer.status(), 200, "{path}");
        let text = answer.text().await.unwrap();
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// The rows at an address below the organization.
    async fn rows(&self, path: &str) -> Vec<Value> {
        self.json(path).await["value"].as_array().unwrap().clone()
    }

    /// All pages of an address that pages by a token in a header.
    async fn pages(&self, path: &str) -> Vec<Value> {
        let mut rows = Vec::new();
        let mut token: Option<String> = None;
        loop {
            let more = token.as_ref().map_or(String::new(), |token| {
                let token: String =
                    url::form_urlencoded::byte_serialize(token.as_bytes()).collect();
                format!("&continuationToken={token}")
            });
            let answer = self.ask(&format!("{path}{more}")).await;
            token = answer
                .headers()
                .get("x-ms-continuationtoken")
                .map(|token| token.to_str().unwrap().to_owned());
            let page: Value = answer.json().await.unwrap();
            rows.extend(page["value"].as_array().unwrap().clone());
            if token.is_none() {
                return rows;
            }
        }
    }

    /// Id of a project by name.
    async fn project(&self, name: &str) -> String {
        let projects = self.rows("_apis/projects").await;
        let own = projects.iter().find(|project| project["name"] == name).unwrap();
        own["id"].as_str().unwrap().to_owned()
    }

    /// Ids of the repositories of a project by name.
    async fn repository(&self, project: &str, name: &str) -> String {
        let repositories = self.rows(&format!("{project}/_apis/git/repositories")).await;
        let own = repositories.iter().find(|repository| repository["name"] == name).unwrap();
        own["id"].as_str().unwrap().to_owned()
    }

    /// The address of the pull request of a named example.
    async fn example(&self, name: &str) -> String {
        let example =
            self.simulator.examples().iter().find(|example| example.name == name).unwrap();
        let repository = self.repository(&example.project, &example.repository).await;
        let number = example.pull_request.unwrap();
        format!("{}/_apis/git/repositories/{repository}/pullRequests/{number}", example.project)
    }
}
