//! The read permissions that adolake needs: their names, what they are for, and where they are granted.

/// A permission, as tokens and project settings name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Permission {
    /// Projects.
    ProjectAndTeam,
    /// Repositories, branches, pull requests, policies, pushes.
    Code,
    /// Pipelines, their runs, retention.
    Build,
    /// People and service identities.
    Graph,
    /// The own profile and the organizations of the identity.
    UserProfile,
}

impl Permission {
    /// Those that adolake cannot do without, and last the one that it can.
    pub const ALL: [Self; 5] =
        [Self::ProjectAndTeam, Self::Code, Self::Build, Self::Graph, Self::UserProfile];

    /// Returns the name under which a personal access token lists it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ProjectAndTeam => "Project and Team (Read)",
            Self::Code => "Code (Read)",
            Self::Build => "Build (Read)",
            Self::Graph => "Graph (Read)",
            Self::UserProfile => "User Profile (Read)",
        }
    }

    /// Returns the name of the item that tells about it.
    #[must_use]
    pub fn item(self) -> &'static str {
        match self {
            Self::ProjectAndTeam => "permission-project-and-team",
            Self::Code => "permission-code",
            Self::Build => "permission-build",
            Self::Graph => "permission-graph",
            Self::UserProfile => "permission-user-profile",
        }
    }

    /// Returns what goes wrong without it, as a clause.
    pub(super) fn loss(self) -> &'static str {
        match self {
            Self::ProjectAndTeam | Self::Code => "nothing can be read without it",
            Self::Build => "checks of pipelines stay `unknown` without it",
            Self::Graph => "service identities may count as approvers without it",
            Self::UserProfile => "the tables `profiles` and `organizations` stay short without it",
        }
    }

    /// Returns where it is granted to an identity that signs in that way; `core` is the organization's address.
    pub(super) fn remedy(self, auth: &str, core: &str) -> String {
        let core = core.trim_end_matches('/');
        let name = self.name();
        match (auth, self) {
            ("pat", Self::UserProfile) => format!(
                "add {name} to the token at {core}/_usersSettings/tokens (under `Show all scopes`) to fill them"
            ),
            ("pat", Self::Graph) => format!(
                "add {name} to the token at {core}/_usersSettings/tokens (under `Show all scopes`); its owner needs \
                 to be a member of the organization, not of one project alone"
            ),
            ("pat", _) => format!(
                "add {name} to the token at {core}/_usersSettings/tokens; its owner needs access level Basic and to be \
                 a Reader of the project"
            ),
            ("pipeline", Self::Code) => format!(
                "let the build service read the repositories: {core}/_settings/repositories, tab Security, and switch \
                 `Limit job authorization scope` off at {core}/_settings/pipelinessettings"
            ),
            ("pipeline", Self::Graph | Self::UserProfile) => {
                "tokens of pipelines do not reach it: sign in with a service principal or a personal access token"
                    .to_owned()
            }
            (_, Self::Graph | Self::UserProfile) => format!(
                "add the identity to the organization at {core}/_settings/users with access level Basic"
            ),
            (_, _) => format!(
                "add the identity at {core}/_settings/users with access level Basic and as a Reader of the project \
                 (project settings, Permissions)"
            ),
        }
    }
}
