-- id: production_branches_existing
-- title: Production branches that exist
-- grain: one row per branch that exists and fits a production branch pattern of a repository in scope
-- reads: branches, repositories, settings_in_force, production_branches_in_force
-- slices: none

with
-- inputs
existing as (select * from branches where deleted_at is null),
scoped_repositories as (select * from settings_in_force where in_scope),
-- one row per branch that fits a pattern, however many it fits
fitting as (
    select existing.organization, existing.repository_id, existing.name, existing.is_default
    from existing
    join production_branches_in_force as patterns
        on patterns.organization = existing.organization
        and patterns.repository_id = existing.repository_id
        and glob_match(patterns.pattern, existing.name)
    group by existing.organization, existing.repository_id, existing.name, existing.is_default
)
select
    fitting.organization,
    scoped_repositories.project_id,
    scoped_repositories.project,
    fitting.repository_id,
    scoped_repositories.repository,
    fitting.name as branch,
    concat('refs/heads/', fitting.name) as ref_name,
    concat(
        fitting.organization, '/', scoped_repositories.project, '/', scoped_repositories.repository, '@refs/heads/', fitting.name
    ) as resource,
    case when repositories.web_url is not null then concat(repositories.web_url, '?version=GB', fitting.name) end as web_url,
    coalesce(regexp_replace(repositories.default_branch, '^refs/heads/', '') = fitting.name, fitting.is_default, false) as is_default,
    coalesce(repositories.is_disabled, false)
        or repositories.deleted_at is not null
        or (repositories.last_visible_at is not null and scoped_repositories.gone_since is not null) as is_gone,
    repositories.last_visible_at is null as is_visible,
    repositories.first_seen_at as repository_first_seen_at
from fitting
join scoped_repositories
    on scoped_repositories.organization = fitting.organization
    and scoped_repositories.repository_id = fitting.repository_id
left join repositories
    on repositories.organization = fitting.organization
    and repositories.repository_id = fitting.repository_id
