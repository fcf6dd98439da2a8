-- id: merged_pull_requests
-- title: Pull requests merged into a production branch
-- grain: one row per pull request completed into a production branch of a repository in scope
-- reads: used_branches, pull_requests, repositories, settings_in_force, production_branches_in_force

with
-- inputs
completed as (select * from pull_requests where status = 'completed' and closed_at is not null),
scoped_repositories as (select * from settings_in_force where in_scope),
repository_addresses as (select organization, repository_id, web_url from repositories),
-- one row per repository and branch that a pull request was ever completed into: patterns are matched here, not once per pull request
target_branches as (
    select organization, repository_id, target_ref, substr(target_ref, 12) as branch
    from used_branches
    where first_merged_at is not null and starts_with(target_ref, 'refs/heads/')
),
-- one row per repository and production branch among them
production_targets as (
    select target_branches.organization, target_branches.repository_id, target_branches.target_ref, target_branches.branch
    from target_branches
    join production_branches_in_force as patterns
        on patterns.organization = target_branches.organization
        and patterns.repository_id = target_branches.repository_id
        and glob_match(patterns.pattern, target_branches.branch)
    group by target_branches.organization, target_branches.repository_id, target_branches.target_ref, target_branches.branch
),
-- one row per production branch among them, with the names of its repository
named_targets as (
    select
        production_targets.organization, production_targets.repository_id, production_targets.target_ref, production_targets.branch,
        scoped_repositories.project, scoped_repositories.repository,
        concat(production_targets.organization, '/', scoped_repositories.project, '/', scoped_repositories.repository, '!') as resource_prefix,
        repository_addresses.web_url as repository_url,
        scoped_repositories.emergency_label, scoped_repositories.service_identities_json
    from production_targets
    join scoped_repositories
        on scoped_repositories.organization = production_targets.organization
        and scoped_repositories.repository_id = production_targets.repository_id
    left join repository_addresses
        on repository_addresses.organization = production_targets.organization
        and repository_addresses.repository_id = production_targets.repository_id
)
select
    completed.organization,
    completed.project_id,
    named_targets.project,
    completed.repository_id,
    named_targets.repository,
    named_targets.branch,
    completed.target_ref,
    completed.pull_request_id,
    concat(named_targets.resource_prefix, cast(completed.pull_request_id as varchar)) as resource,
    completed.title,
    coalesce(completed.web_url, concat(named_targets.repository_url, '/pullrequest/', cast(completed.pull_request_id as varchar))) as web_url,
    completed.created_at,
    completed.closed_at as merged_at,
    completed.last_seen_open_at,
    completed.author_id, completed.author_unique_name, completed.author_descriptor, completed.author_name,
    completed.closed_by_id, completed.closed_by_unique_name, completed.closed_by_name,
    completed.source_ref,
    completed.source_commit,
    completed.merge_commit,
    completed.fork_repository_id,
    coalesce(completed.bypass_policy, false) as is_policy_bypassed,
    completed.bypass_reason,
    -- null while the threads were not read after the merge: then nothing is known about who completed it
    case when completed.threads_read_at >= completed.closed_at then completed.completion_thread_at is null end as is_merged_externally,
    completed.threads_read_at, completed.iterations_read_at, completed.statuses_read_at,
    completed.evaluations_read_at, completed.commits_read_at, completed.changes_read_at,
    named_targets.emergency_label,
    named_targets.service_identities_json
from completed
join named_targets
    on named_targets.organization = completed.organization
    and named_targets.repository_id = completed.repository_id
    and named_targets.target_ref = completed.target_ref
