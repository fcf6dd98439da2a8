-- id: changes_without_pull_request
-- title: Changes of production branches that no pull request explains
-- grain: one row per ref update of an existing production branch that neither a completed pull request into it nor its first creation explains
-- reads: production_branches_existing, pushes, pull_requests, exceptions_in_force, sync_runs

-- explanation is one of
--   direct_push      nothing explains it
--   recreated        creates the branch anew, after it had been there before
--   exception        a registered exception covers it
--   deleted          deletes the branch; that it is there again is another update
--   unproven         Azure DevOps was not asked, or did not answer, which pull requests hold the commit, or named one that could not be read
with
-- inputs
updates as (
    select pushes.*, branches.project_id, branches.project, branches.repository, branches.branch
    from pushes
    join production_branches_existing as branches
        on branches.organization = pushes.organization
        and branches.repository_id = pushes.repository_id
        and branches.ref_name = pushes.ref_name
),
completed as (select * from pull_requests where status = 'completed'),
registered as (select * from exceptions_in_force where commit_pattern is not null),
-- one row per ref: the first update that is known of it
first_updates as (
    select organization, repository_id, ref_name, min(push_id) as push_id
    from pushes
    group by organization, repository_id, ref_name
),
-- one row per landing commit of a pull request into a branch
landings as (
    select organization, repository_id, target_ref, merge_commit
    from completed
    where merge_commit is not null
    group by organization, repository_id, target_ref, merge_commit
),
-- one row per update and pull request that Azure DevOps names for its commit
named_pull_requests as (
    select organization, repository_id, push_id, ref_name, unnest(string_to_array(pull_request_ids, ',')) as number
    from pushes
    where pull_request_ids <> ''
),
-- one row per update for which Azure DevOps names pull requests: whether one was completed into the branch, whether one is not in the lake
named_updates as (
    select
        named.organization, named.repository_id, named.push_id, named.ref_name,
        coalesce(bool_or(pull_requests.status = 'completed' and pull_requests.target_ref = named.ref_name), false) as is_completed,
        bool_or(pull_requests.pull_request_id is null) as is_missing
    from named_pull_requests as named
    left join pull_requests
        on pull_requests.organization = named.organization
        and pull_requests.repository_id = named.repository_id
        and pull_requests.pull_request_id = try_cast(trim(named.number) as bigint)
    group by named.organization, named.repository_id, named.push_id, named.ref_name
),
listings as (
    select organization, scope as project_id, run_id, started_at, status
    from sync_runs
    where resource = 'pull_requests' and status <> 'skipped' and strpos(scope, '@') = 0
),
-- one row per project whose pull requests were asked for: the sync that asked last
last_syncs as (
    select organization, project_id, last_value(run_id order by started_at, run_id) as run_id
    from listings
    group by organization, project_id
),
-- one row per project whose pull requests were asked for: whether the last sync read all that it asked for
last_listings as (
    select listings.organization, listings.project_id, bool_and(listings.status = 'ok') as is_read
    from listings
    join last_syncs
        on last_syncs.organization = listings.organization
        and last_syncs.project_id = listings.project_id
        and last_syncs.run_id = listings.run_id
    group by listings.organization, listings.project_id
),
-- one row per update that no pull request and no first creation explains
unexplained as (
    select updates.*, updates.kind = 'create' as is_recreation, coalesce(named_updates.is_missing, false) as names_missing
    from updates
    left join landings
        on landings.organization = updates.organization
        and landings.repository_id = updates.repository_id
        and landings.target_ref = updates.ref_name
        and landings.merge_commit = updates.new_commit
    left join named_updates
        on named_updates.organization = updates.organization
        and named_updates.repository_id = updates.repository_id
        and named_updates.push_id = updates.push_id
        and named_updates.ref_name = updates.ref_name
    left join first_updates
        on first_updates.organization = updates.organization
        and first_updates.repository_id = updates.repository_id
        and first_updates.ref_name = updates.ref_name
    where case
        when updates.kind = 'create' then updates.push_id > first_updates.push_id
        when updates.kind = 'delete' then true
        else landings.merge_commit is null and not coalesce(named_updates.is_completed, false)
    end
),
-- one row per update that an exception names: the first one in time, else the first that came too late
excepted as (
    select
        updates.organization, updates.repository_id, updates.push_id, updates.ref_name,
        bool_or(updates.at < registered.expires_before) as is_in_time,
        coalesce(
            min(registered.exception_index) filter (where updates.at < registered.expires_before),
            min(registered.exception_index)
        ) as exception_index
    from registered
    join updates
        on updates.organization = registered.organization
        and glob_match(registered.commit_pattern, lower(updates.new_commit))
        and glob_match(
            lower(registered.repository_pattern),
            lower(concat(updates.organization, '/', updates.project, '/', updates.repository))
        )
    where updates.kind <> 'delete'
    group by updates.organization, updates.repository_id, updates.push_id, updates.ref_name
)
select
    unexplained.organization,
    unexplained.project,
    unexplained.repository_id,
    unexplained.repository,
    unexplained.branch,
    unexplained.ref_name,
    unexplained.push_id,
    unexplained.at,
    unexplained.pushed_by_id,
    unexplained.pushed_by_unique_name,
    unexplained.old_commit,
    unexplained.new_commit,
    unexplained.kind,
    coalesce(unexplained.is_force, false) as is_force,
    unexplained.is_recreation,
    case
        when unexplained.kind = 'delete' then 'deleted'
        when excepted.is_in_time then 'exception'
        when unexplained.is_recreation then 'recreated'
        when unexplained.pull_request_ids is null then 'unproven'
        when unexplained.names_missing and not last_listings.is_read then 'unproven'
        else 'direct_push'
    end as explanation,
    coalesce(not excepted.is_in_time, false) as is_exception_expired,
    registered.pattern as exception_pattern,
    registered.reason as exception_reason,
    registered.approved_by as exception_approved_by
from unexplained
left join last_listings
    on last_listings.organization = unexplained.organization
    and last_listings.project_id = unexplained.project_id
left join excepted
    on excepted.organization = unexplained.organization
    and excepted.repository_id = unexplained.repository_id
    and excepted.push_id = unexplained.push_id
    and excepted.ref_name = unexplained.ref_name
left join registered
    on registered.organization = excepted.organization
    and registered.exception_index = excepted.exception_index
